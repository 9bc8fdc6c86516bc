"""The report's pictures, one subject a file: each function draws one `Plot`."""
