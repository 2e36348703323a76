/** The style sheet of the status page. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f6f8; --panel: #fff; --line: #dfe4ea; --text: #17202b; --faint: #5f6c7b;
  --well: #12784a; --well-ground: #e2f4ea; --degraded: #8a5300; --degraded-ground: #fdf0d7; --failing: #b3261e; --failing-ground: #fde7e5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1319; --panel: #171e26; --line: #2a343f; --text: #e6ebf0; --faint: #93a1b0;
    --well: #5fd39a; --well-ground: #12301f; --degraded: #f2b752; --degraded-ground: #37280c; --failing: #ff8a80; --failing-ground: #3d1613;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; padding-top: 28px; }
h1 { font-size: 22px; letter-spacing: -.01em; }
h2 { font-size: 13px; font-weight: 600; text-transform: uppercase; letter-spacing: .06em; color: var(--faint); margin: 32px 0 10px; }
header p, footer { color: var(--faint); font-size: 13px; }
footer { padding-top: 32px; padding-bottom: 32px; display: flex; gap: 16px; }
a { color: inherit; }
#headline { margin-top: 18px; padding: 18px 22px; border-radius: 12px; border-left: 6px solid; font-size: 20px; line-height: 1.45; font-weight: 550; }
#headline p + p { font-size: 16px; font-weight: 500; margin-top: 4px; }
.well { color: var(--well); } .degraded { color: var(--degraded); } .failing { color: var(--failing); }
#headline.well, .pill.well { background: var(--well-ground); }
#headline.degraded, .pill.degraded { background: var(--degraded-ground); }
#headline.failing, .pill.failing { background: var(--failing-ground); }
.panel, .scroll { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; }
.scroll, .wide { overflow-x: auto; }
.panel + .panel { margin-top: 12px; }
.panel > .head { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px; padding: 14px 18px; }
.panel > .head .name { font-size: 17px; font-weight: 650; }
.panel > .head .reason { flex-basis: 100%; }
.pill { display: inline-block; padding: 1px 10px; border-radius: 999px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.pill.quiet { background: transparent; border: 1px solid var(--line); color: var(--faint); font-weight: 500; }
.faint, .reason { color: var(--faint); }
.reason { font-size: 14px; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { padding: 9px 18px; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
.scroll > table > thead > tr > th { border-top: 0; }
th { font-weight: 500; font-size: 12.5px; color: var(--faint); white-space: nowrap; }
table.urls { table-layout: fixed; min-width: 960px; }
table.urls th:nth-child(1) { width: 25%; }
table.urls th:nth-child(2) { width: 12%; }
table.urls th:nth-child(3) { width: 10%; }
table.urls th:nth-child(5) { width: 12%; }
table.urls th:nth-child(6) { width: 13%; }
table.urls th:nth-child(7) { width: 9%; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.tight { white-space: nowrap; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
ol.order { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: baseline; }
ol.order li + li::before { content: "\\2192"; color: var(--faint); margin-right: 8px; }
.breakers { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 13px; }
.breakers span::before { content: "\\25CF"; margin-right: 5px; }
#figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.fact { display: flex; flex-direction: column; padding: 12px 18px; background: var(--panel); font-size: 14px; }
.fact .amount { font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
#stores, #copying { margin: 8px 2px 0; }
#copy-routes thead th { border-top: 0; }
.note { padding: 10px 18px 14px; border-top: 1px solid var(--line); font-size: 14px; }
ul.rotten { list-style: none; padding: 0; margin: 4px 0 0; }
.empty { padding: 16px 18px; color: var(--faint); }
@media (max-width: 640px) { th, td { padding: 8px 12px; } #headline { font-size: 17px; padding: 14px 16px; } }
`;
