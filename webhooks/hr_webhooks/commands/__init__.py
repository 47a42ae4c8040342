"""The sub-commands of `hr-webhooks`, a module for each."""
