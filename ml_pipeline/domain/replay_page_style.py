"""The looks of the replay's page: light, dark and on paper, wide and narrow; no font and no picture from anywhere."""

from collections.abc import Sequence

# Okabe and Ito's colours (2008), told apart by colour-blind readers, darkened until each has 3:1 on paper; every line
# has its own dashes too, so that nothing hangs on colour alone.
_STYLE = """
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #1b1f27; --soft: #59616d; --rule: #dedad2;
  --band: #f1eee7; --now: #1b1f27; --c0: #0a5fa8; --c1: #b4500a; --c2: #00765c; --c3: #a33c78; --c4: #5b5f66;
  --base: #777d87; --warn: #a3271b; --good: #00694f; --hit: #fdf0c8; --shade: #b4500a26; }
@media (prefers-color-scheme: dark) { :root { --paper: #13161b; --card: #1a1e25; --ink: #e8e6e1; --soft: #a0a9b5;
  --rule: #323944; --band: #222833; --now: #e8e6e1; --c0: #6cb4f5; --c1: #f0a04b; --c2: #3fcfa2; --c3: #f08fc0;
  --c4: #c3c8d0; --base: #8a93a0; --warn: #ff9183; --good: #4fd3a8; --hit: #3d3517; --shade: #f0a04b2e; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding: 1rem 0; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.55 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.6rem 1.5rem 4rem; }
.kicker { color: var(--soft); font-size: .9rem; margin: 0 0 .8rem; }
.kicker b { color: var(--ink); }
h1 { font: 600 clamp(1.4rem, .85rem + 1.75vw, 2.15rem)/1.25 Charter, "Iowan Old Style", "Palatino Linotype", Georgia,
  "Liberation Serif", serif; margin: 0 0 1.4rem; letter-spacing: -.008em; text-wrap: pretty; max-width: 62rem; }
h1 span { font-weight: 400; color: var(--soft); }
.opening { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 2.2rem; align-items: start; }
.lead { margin: 0; padding: 0; list-style: none; }
.lead li { padding: .5rem 0; border-top: 1px solid var(--rule); }
section { margin-top: 3rem; }
section > h2 { font: 600 1.5rem/1.25 Charter, "Iowan Old Style", "Palatino Linotype", Georgia, "Liberation Serif", serif;
  margin: 0 0 .4rem; }
.chart h3:first-child { margin-top: 0; } h3 { font-size: 1rem; margin: 1.5rem 0 .1rem; }
p { margin: .5rem 0; max-width: 48rem; } .soft, figcaption, small { color: var(--soft); }
figcaption { font-size: .82rem; margin-top: .5rem; max-width: 48rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 1.1rem 1.3rem; margin: 1rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin-top: 1.6rem; font-size: .9rem; }
a { color: var(--c0); text-underline-offset: .15em; text-decoration-thickness: 1px; }
.skip { position: absolute; left: -999rem; } .skip:focus { position: static; }
:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px; border-radius: 3px; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px; background: var(--own); margin-right: .45em; }
.savings { margin: 0; } .savings h2 { font-size: 1rem; margin: 0 0 .6rem; }
.savings ul { list-style: none; margin: 0; padding: 0; } .savings li { padding: .25rem 0; }
.savings li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; align-items: baseline; }
.savings .name { font-weight: 600; min-width: 0; overflow-wrap: anywhere; } .savings .told { font-size: .86rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.sides { display: grid; grid-template-columns: 1fr auto 1fr; font-size: .82rem; color: var(--soft); margin: 0; max-width: none; }
.sides span:first-child { text-align: right; padding-right: 1.2rem; } .sides span:last-child { padding-left: 1.2rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .36rem 1.1rem .36rem 0; border-bottom: 1px solid var(--rule); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; } tbody th { font-weight: 600; white-space: nowrap; }
.compare { width: 100%; font-size: .92rem; table-layout: fixed; min-width: 46rem; } .compare td, .compare thead th { text-align: right; white-space: nowrap; }
.compare thead th { color: var(--ink); white-space: normal; min-width: 6.5rem; } .compare small { display: block; font-weight: 400; }
.compare tbody th { position: sticky; left: 0; background: var(--paper); white-space: normal; min-width: 8.5rem; }
.compare thead td { width: 16rem; } .compare .begins > * { border-top: 2px solid var(--soft); } .compare .best { font-weight: 700; } .compare td.soft, .compare th.soft { color: var(--soft); padding-right: 0; }
.wide td { min-width: 5.5rem; } .wide:not(.facts) :is(td:nth-child(4), td:last-child) { min-width: 16rem; } .wide .no { color: var(--soft); }
.facts td { white-space: nowrap; } .facts { width: 100%; } .nights td { white-space: nowrap; } .nights td:nth-child(n+4):nth-child(-n+13) { text-align: right; }
.nights td:last-child { white-space: normal; min-width: 26rem; } tr:target { background: var(--hit); }
details { border-bottom: 1px solid var(--rule); } summary { cursor: pointer; padding: .6rem 0; }
.chart h3 span { font-weight: 400; color: var(--soft); font-size: .85rem; }
svg { display: block; max-width: 100%; } svg text { font-size: 11.5px; fill: var(--ink); } svg .soft { fill: var(--soft); }
svg .level { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
svg.year { overflow: visible; touch-action: pan-y; } .grid { stroke: var(--rule); } .zero { stroke: var(--soft); }
.line { fill: none; stroke: var(--own); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.c0, .line.own { stroke-width: 2.6; } .line.base { stroke: var(--base); stroke-width: 1.6; stroke-dasharray: 1 3.5; }
.line.c1 { stroke-dasharray: 9 4; } .line.c2 { stroke-dasharray: 2 4; } .line.c3 { stroke-dasharray: 11 4 2 4; }
.line.c4 { stroke-dasharray: 5 3; } .now { stroke: var(--now); stroke-width: 1; }
.span { fill: var(--own); opacity: .38; } .dot { fill: var(--own); stroke: var(--card); stroke-width: 2; }
.bar { fill: var(--own); } .bar.odd { fill-opacity: .3; } .bar.even { fill-opacity: .14; } .edge { fill: var(--own); }
.bar.fallback { fill: var(--base); fill-opacity: .25; } .drift { fill: var(--own); fill-opacity: .55; }
.incident { fill: var(--shade); } .noticed { stroke: var(--warn); stroke-width: 2; }
.refused path { fill: var(--card); stroke: var(--ink); stroke-width: 1.8; }
.mark path { fill: var(--own); stroke: var(--card); stroke-width: 1; } .mark.blocking path { fill: var(--warn); }
.mark:hover path, .mark:focus-visible path, .mark:target path { stroke: var(--ink); stroke-width: 2.5; } .mark:focus { outline: none; }
.choice { border: 0; padding: 0; margin: 1rem 0 .4rem; display: flex; flex-wrap: wrap; gap: .5rem; }
.choice .key { margin: 0; align-items: center; } .choice legend { float: left; padding: .3rem .5rem .3rem 0; color: var(--soft); }
.choice label, .choice { min-width: 0; overflow-wrap: anywhere; } .choice label { display: inline-flex; align-items: center; gap: .5em; border: 1px solid var(--rule); border-radius: 99px; padding: .25rem .9rem;
  cursor: pointer; background: var(--card); } .choice input { position: absolute; opacity: 0; }
.choice label:has(:checked) { border-color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); }
.choice label:has(:focus-visible) { outline: 3px solid var(--c0); outline-offset: 2px; } .choice svg { flex: none; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; font-size: .82rem; color: var(--soft); margin: .8rem 0 0; padding: 0; list-style: none; }
.key li { display: flex; align-items: center; gap: .4em; } .key path { fill: var(--c0); stroke: none; }
.key .hollow { fill: none; stroke: var(--ink); stroke-width: 1.8; } .key .warn { fill: var(--warn); }
.readout { position: sticky; top: 0; z-index: 2; box-shadow: 0 5px 16px #00000024; padding: .5rem 1.3rem .6rem; overflow-x: auto; }
.readout label { display: flex; gap: 1rem; align-items: center; font-weight: 600; white-space: nowrap; }
.readout input { flex: 1; min-width: 5rem; accent-color: var(--c0); height: 1.6rem; } .readout table { width: 100%; font-size: .82rem; }
.readout td, .readout th { padding: .12rem .9rem .12rem 0; border: 0; } .readout td { text-align: right; white-space: nowrap; }
.readout thead th { text-align: right; } .readout tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
.readout ul { margin: .3rem 0 0; padding: 0; list-style: none; font-size: .82rem; line-height: 1.4; height: 4.2em; overflow-y: auto; }
.readout li { max-width: none; }
.incidents { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(25rem, 100%), 1fr)); gap: 1rem; }
.incidents .card { margin: 0; } .incidents h3 { margin: 0; } .strip { margin: .8rem 0 0; } .strip figcaption { margin: 0; }
.verdict { font-weight: 600; } .verdict.right { color: var(--good); } .verdict.wrong { color: var(--warn); }
dl { display: grid; grid-template-columns: minmax(9rem, 15rem) minmax(0, 1fr); gap: .5rem 1.5rem; max-width: 62rem; } dt { font-weight: 600; } dd { margin: 0; }
li { max-width: 52rem; } .plain { padding-left: 1.2rem; }
@media (max-width: 760px) { main { padding: 1.4rem 1rem 3rem; } .opening { grid-template-columns: minmax(0, 1fr); gap: 1.2rem; }
  .card { padding: .9rem; } dl { grid-template-columns: minmax(0, 1fr); gap: .1rem; } dd { margin-bottom: .7rem; } .far { display: none; }
  .compare :is(td, th) { padding-right: .7rem; } .readout { padding: .4rem .7rem; margin: .8rem -.6rem; } .readout table { font-size: .78rem; }
  .compare { table-layout: auto; min-width: 0; font-size: .82rem; } .compare thead td { width: auto; }
  .compare thead th { min-width: 4.9rem; } .compare td small { white-space: normal; }
  .compare tbody th { min-width: 6.6rem; } .wide thead { display: none; } .wide :is(tr, th, td) { display: block; }
  .wide :is(th, td) { border: 0; padding: .05rem 0; min-width: 0 !important; white-space: normal !important; } .wide tr { border-bottom: 1px solid var(--rule); padding: .5rem 0; }
  .wide td::before { content: attr(data-name) ": "; color: var(--soft); } .readout td, .readout th { padding-right: .5rem; } }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --rule: #bbb; --c0: #0a5fa8;
    --c1: #b4500a; --c2: #00765c; --c3: #a33c78; --c4: #5b5f66; --base: #777; --warn: #a3271b; --good: #00694f; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } nav, .readout, .choice legend, .choice label:not(.of), .skip, .now, noscript { display: none; }
  :is(#decisions, #models) details::details-content { content-visibility: visible; block-size: auto; }
  * { print-color-adjust: exact; } .scroll { overflow: visible; } .card, tr, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .compare tbody th { position: static; } table { font-size: 8pt; } }
"""


def style(colours: int, keys: Sequence[str]) -> str:
    """The style sheet; the choice of a policy works by style alone, so it works without a script."""
    own = "\n".join(f".c{number} {{ --own: var(--c{number}); }}" for number in range(colours))
    choices = "\n".join(
        f"body:has(#pick-{key}:checked) #year :is(.line, .lane).of:not(.k{key}) {{ opacity: .22; }}\n"
        f"body:has(#pick-{key}:checked) .yearly > .of:not(.k{key}) {{ display: none; }}\n"
        f"body:has(#pick-{key}:checked) #year .lane.of:not(.k{key}) .mark {{ pointer-events: none; }}"
        for key in keys
    )
    return f"{_STYLE}{own}\n@media screen {{\n{choices}\n}}\n"
