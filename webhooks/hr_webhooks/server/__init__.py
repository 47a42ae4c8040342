"""The receiver of webhooks.

A request passes these steps: address, size, secret, reading within a time limit, decompression, signature, one durable
write shared with the requests of the same moment, and only then the answer 200. Everything that goes wrong here is
answered with 503, which all vendors retry; 4xx, which loses the event, is only for what cannot be the vendor's.
"""
