"""What came out: `report.json` for programs and a self-contained `index.html` for people."""
