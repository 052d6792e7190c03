/**
 * The look of every page. Colours are variables, which charts use too, so that all of it follows the reader's choice of light or
 * dark; every pair of text and ground has a contrast of 4.5 to 1 or more (WCAG 2.2, 1.4.3).
 */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1b2430; --muted: #566271; --line: #d7dce3; --page: #f5f6f8; --surface: #fff; --accent: #1f5fae;
  --series-1: #2f6db5; --series-2: #c96f17; --series-3: #35854f; --series-4: #8355b3;
  --series-5: #b8423f; --series-6: #3f8498; --series-7: #85722f; --series-8: #b84e8b; --none: #b9c0c9;
  --good: #17602f; --good-ground: #dff2e4; --warn: #744600; --warn-ground: #fdeccd;
  --bad: #8f1f1a; --bad-ground: #fbdcda; --neutral: #3c4755; --neutral-ground: #e7ebf0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6ebf2; --muted: #a3afbd; --line: #313b49; --page: #11161d; --surface: #19202a; --accent: #8dbbf2;
    --series-1: #6fa8ee; --series-2: #f0a660; --series-3: #6cc08b; --series-4: #b794e0;
    --series-5: #ef8a86; --series-6: #86bccd; --series-7: #c9b46a; --series-8: #e596c3; --none: #4c5766;
    --good: #9be0b3; --good-ground: #173a24; --warn: #f5cf8a; --warn-ground: #43310d;
    --bad: #f7b3ae; --bad-ground: #4a1d1b; --neutral: #c5cfdb; --neutral-ground: #2b3441;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main, body > header, body > footer { max-width: 1120px; margin: 0 auto; padding: 0 1.25rem; }
body > header { padding-top: 1.75rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 0.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 0.6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 0.4rem; overflow-wrap: anywhere; }
p { margin: 0.4rem 0 0.9rem; max-width: 75ch; }
.note { color: var(--muted); }
a { color: var(--accent); }
code { font: 0.92em ui-monospace, monospace; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--surface); padding: 0.5rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; padding: 0; margin: 0.8rem 0 0; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.25rem; margin: 1.1rem 0; }
body > footer { color: var(--muted); padding-bottom: 2rem; font-size: 0.85rem; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 0.7rem 1.2rem; margin: 0.6rem 0 1rem; }
dl.facts dt { color: var(--muted); font-size: 0.85rem; }
dl.facts dd { margin: 0; font-size: 1.1rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
dl.facts dd small { display: block; font-size: 0.8rem; font-weight: 400; color: var(--muted); }
.badge { display: inline-block; border-radius: 999px; padding: 0.02rem 0.6rem; font-size: 0.85rem; font-weight: 600; white-space: nowrap; }
.good { color: var(--good); background: var(--good-ground); } .warn { color: var(--warn); background: var(--warn-ground); }
.bad { color: var(--bad); background: var(--bad-ground); } .neutral { color: var(--neutral); background: var(--neutral-ground); }
.scroll { overflow-x: auto; margin: 0.5rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
caption { text-align: left; color: var(--muted); padding: 0 0 0.3rem; }
th, td { padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: break-word; }
th { color: var(--muted); font-weight: 600; }
thead th { vertical-align: bottom; border-bottom-width: 2px; overflow-wrap: normal; }
tbody th { color: var(--ink); min-width: 7rem; }
.number { text-align: right; }
td.number { overflow-wrap: normal; white-space: nowrap; }
td.long { min-width: 14rem; overflow-wrap: anywhere; }
table.calendar { border-collapse: separate; border-spacing: 3px; }
table.calendar th { border: 0; padding: 0 0.3rem; text-align: center; min-width: 0; }
table.calendar td { border: 0; padding: 0; width: 4.6rem; height: 3.3rem; }
.day { display: block; height: 100%; border-radius: 6px; padding: 0.2rem 0.35rem; font-size: 0.78rem; line-height: 1.25; text-decoration: none; }
a.day { text-decoration: underline; }
.day b { font-size: 0.92rem; }
.sign { display: none; }
.months { display: flex; flex-wrap: wrap; gap: 0.6rem 2rem; }
.break { white-space: normal; display: inline-block; }
figure { margin: 0.9rem 0 0.3rem; }
figcaption { color: var(--muted); font-size: 0.88rem; }
figure svg { display: block; width: 100%; height: auto; }
figure .phone { display: none; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.15rem 1rem; margin: 0 0 0.4rem; padding: 0; font-size: 0.88rem; }
ul.legend svg { width: 26px; height: 10px; display: inline-block; vertical-align: middle; margin-right: 0.35rem; }
details { margin: 0.3rem 0 0.9rem; }
summary { cursor: pointer; color: var(--accent); width: fit-content; }
@media (max-width: 640px) {
  main, body > header, body > footer { padding-left: 0.8rem; padding-right: 0.8rem; }
  section { padding: 0.8rem 0.8rem; }
  table.calendar td { width: 2.9rem; height: 2.9rem; } .day { padding: 0.15rem 0.2rem; font-size: 0.72rem; overflow: hidden; }
  .sign { display: inline; } p.sign { display: block; }
  .word { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  figure .desk { display: none; }
  figure .phone { display: block; }
  table.cards, table.cards caption, table.cards tbody, table.cards tr, table.cards th, table.cards td { display: block; width: 100%; }
  table.cards thead { position: absolute; left: -999rem; }
  table.cards tr { border-bottom: 2px solid var(--line); padding: 0.35rem 0; }
  table.cards th, table.cards td { border: 0; padding: 0.05rem 0; text-align: left; min-width: 0; white-space: normal; }
  table.cards td[data-label] { display: flex; justify-content: space-between; gap: 1rem; }
  table.cards td[data-label]::before { content: attr(data-label); color: var(--muted); flex: 0 1 auto; min-width: min-content; }
  table.cards td.long[data-label] { display: block; }
  table.cards td.long[data-label]::before { content: attr(data-label) ": "; }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
