"""Local versions of the APIs of three HR vendors, over one generated company."""
