"""How the page looks."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a1c1f; --soft: #5a6069; --line: #d9dde2; --card: #ffffff;
  --page: #f4f5f7; --blue: #0072b2; --red: #c14f00; --green: #00825f }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3a9b2; --line: #3a3f46;
  --card: #1d2024; --page: #131517; --blue: #58b2ea; --red: #ff9150; --green: #3ecfa0 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 84rem;
  color: var(--ink); background: var(--page) }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem }
p { margin: .4rem 0 } .note { color: var(--soft) } .note, code { overflow-wrap: anywhere }
.tiles, .plots { display: grid; gap: .8rem }
.tiles { grid-template-columns: repeat(auto-fit, minmax(max(9.5rem, 22%), 1fr)); margin-top: 1rem }
.plots { grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); margin-top: .8rem;
  align-items: start }
.tile, .plot, details { background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
.tile { padding: .7rem .9rem } .plot { padding: .5rem; margin: 0 }
.plot svg { display: block; width: 100%; height: auto }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums }
.tile span { color: var(--soft); font-size: .85rem; display: block }
details { margin-top: .8rem; padding: .6rem .9rem }
summary { font-weight: 600; cursor: pointer }
.wide { overflow-x: auto; margin-top: .4rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top }
th { color: var(--soft); font-weight: 600; white-space: nowrap }
td { white-space: nowrap } td.long { white-space: normal; min-width: 13rem }
td.number, th.number { text-align: right }
tr.winner td { font-weight: 600 } tr.winner td:first-child { color: var(--green) }
tr:last-child td { border-bottom: 0 }
@media print { .plot, details { break-inside: avoid } }
"""
