"""What came out: `report.json` for programs, `report.png` and a self-contained `index.html` for people."""
