"""Model servers: each serves the small MLP from a local file. How each is started, and asked."""
