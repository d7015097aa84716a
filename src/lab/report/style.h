#pragma once
#include <string_view>

namespace supyo::report {

/// The page's style sheet. Colours are variables, one set for light, one for dark; every colour that says something is joined by a pattern, a dash or a word.
inline constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbf8;--card:#ffffff;--ink:#16202b;--soft:#4d5966;--line:#d9dcd6;--grid:#e8eae5;--fault:#f3ece0;--accent:#0a58a8;
--p50:#5f7d99;--p95:#0a58a8;--p99:#7b2d90;--lag:#935500;--lag2:#5a6b1f;--one:#0b6e5c;--ghost:#8a949e;--bad:#b3261e;--bad-ink:#8f1a13;--ok:#d5eadf;--ok-ink:#14573a;--risk:#f6dfa6;--unknown:#d8dce1;--quiet:#e3e7ec;--limit:#b3261e;
--w1:#c3ccd4;--w2:#9fb8cf;--w3:#6f9bc4;--w4:#d8b365;--w5:#8cbf9f;--w6:#c4584f}
@media (prefers-color-scheme:dark){:root{--bg:#11161c;--card:#181f27;--ink:#e8edf2;--soft:#a7b3bf;--line:#313b46;--grid:#28313b;--fault:#2a2620;--accent:#7ab8f5;
--p50:#8fb0cf;--p95:#6db3ff;--p99:#d59bea;--lag:#f0b35a;--lag2:#bccf6a;--one:#5fd0b5;--ghost:#7d8893;--bad:#ff8a80;--bad-ink:#ffb4ad;--ok:#1d3d30;--ok-ink:#a5e3c4;--risk:#5a4510;--unknown:#3b444e;--quiet:#2b343e;--limit:#ff8a80;
--w1:#55616c;--w2:#4b6b8a;--w3:#3f7db8;--w4:#9a7530;--w5:#3f7f5b;--w6:#b2453d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans KR","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
.kicker{color:var(--soft);font-size:.85rem;letter-spacing:.04em;margin:0 0 6px}
h1{font-size:2.15rem;line-height:1.18;margin:0 0 12px;letter-spacing:-.015em;text-wrap:balance}
h2{font-size:1.28rem;margin:0 0 4px;letter-spacing:-.005em}
h3{font-size:1rem;margin:0 0 2px}
p{margin:0 0 12px}
.lead{font-size:1.12rem;max-width:46em}
.soft{color:var(--soft)}
section{margin:44px 0 0}
.verdict{display:flex;gap:16px;align-items:flex-start;border:1px solid var(--line);border-left:6px solid var(--accent);background:var(--card);border-radius:10px;padding:16px 20px;margin:20px 0 0}
.verdict.refuted{border-left-style:double;border-left-width:10px}.verdict.invalid{border-left-style:dashed}
.verdict .word{font-weight:700;font-size:1.12rem;letter-spacing:.03em;white-space:nowrap}
.verdict p{margin:0}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin:22px 0 0;padding:0;list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.tiles .name{color:var(--soft);font-size:.9rem}
.tiles .big{display:block;font-size:1.75rem;line-height:1.25;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tiles .note{font-size:.86rem;color:var(--soft);display:block;line-height:1.4}
.tiles .bad .big{color:var(--bad-ink)}
figure{margin:18px 0 0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px 10px;break-inside:avoid}
figcaption{margin:0 0 8px}
figcaption p{margin:0;color:var(--soft);font-size:.93rem;max-width:62em}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0 2px;padding:0;list-style:none;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:7px}
.legend svg{width:34px;height:12px;flex:none}
svg{display:block;width:100%;height:auto;overflow:visible}
svg.narrow{display:none}
svg.defs{position:absolute;width:0;height:0}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;fill:var(--ink);font-variant-numeric:tabular-nums}
svg text.tick{fill:var(--soft);font-size:11.5px}
svg text.group{font-weight:650;font-size:12.5px}
svg text.row{font-size:12.5px}
svg text.phase{fill:var(--soft);font-size:12px}
svg text.phase-fault{fill:var(--ink);font-weight:650}
svg text.total{font-weight:650;font-size:13px}
svg text.limit-label{fill:var(--bad-ink);font-size:12px;paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.axis{stroke:var(--soft);stroke-width:1}
.grid{stroke:var(--grid);stroke-width:1}
.fault{fill:var(--fault)}
.limit{stroke:var(--limit);stroke-width:1.4;stroke-dasharray:7 4}
.mark{stroke-width:1.4}.mark.spike{stroke:var(--ink);stroke-dasharray:1.5 3.5;stroke-linecap:round}.mark.breach{stroke:var(--bad)}.mark.alarm{stroke:var(--lag);stroke-dasharray:8 3 2 3}
.line{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}
.band{fill-opacity:.28;stroke-width:1.3;stroke-linejoin:round}.band.l-lag{fill:var(--lag)}.band.l-lag2{fill:var(--lag2)}.band.l-one{fill:var(--one)}
.l-p50{stroke:var(--p50);stroke-dasharray:1.5 4}.l-p95{stroke:var(--p95);stroke-width:2.3}.l-p99{stroke:var(--p99);stroke-dasharray:7 4}
.l-ghost{stroke:var(--ghost);stroke-width:1.4;stroke-dasharray:2 2}
.l-lag{stroke:var(--lag);stroke-width:1.8}.l-lag2{stroke:var(--lag2);stroke-dasharray:6 4}
.l-one{stroke:var(--one);stroke-width:2}.l-two{stroke:var(--p99);stroke-dasharray:6 4}
.line.thin{stroke-width:1;opacity:.6}.dot{stroke-width:1.6;stroke-dasharray:none}.dot.l-one{fill:var(--one)}.dot.l-p95{fill:var(--p95)}.dot.l-lag{fill:var(--lag)}.dot.hollow{fill:var(--card)}
.pt{fill:none;stroke-width:1.6}.p0{stroke:var(--p95)}.p1{stroke:var(--bad)}.p2{stroke:var(--one)}.p3{stroke:var(--p99)}.p4{stroke:var(--lag)}
.seg{stroke:var(--card);stroke-width:1}
.seg.ok{fill:var(--ok)}.seg.quiet{fill:var(--quiet)}.seg.risk{fill:url(#p-risk)}.seg.bad{fill:url(#p-bad)}.seg.unknown{fill:url(#p-unknown)}
.plate{fill:var(--card);fill-opacity:.94}
.plate.ok,.plate.quiet{fill-opacity:0}
svg text.seg-label{font-size:12px;font-weight:600}
svg text.seg-label.ok{fill:var(--ok-ink)}svg text.seg-label.bad{fill:var(--bad-ink)}svg text.seg-label.quiet{fill:var(--soft);font-weight:500}
.part{stroke:var(--card);stroke-width:1.5}.w1{fill:var(--w1)}.w2{fill:var(--w2)}.w3{fill:var(--w3)}.w4{fill:url(#p-w4)}.w5{fill:var(--w5)}.w6{fill:url(#p-w6)}
.sw{stroke:none}
table{border-collapse:collapse;width:100%;font-size:.94rem;margin:12px 0 0;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.93rem;padding:0 0 6px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
thead th{font-size:.86rem;color:var(--soft);font-weight:600}
tbody th{font-weight:550}
td{overflow-wrap:anywhere}th{overflow-wrap:break-word}
.pairs th{width:32%;overflow-wrap:break-word}
figure table{font-size:.88rem;margin-top:8px;border-top:1px solid var(--line)}figure th,figure td{padding-top:4px;padding-bottom:4px}figure tr:last-child th,figure tr:last-child td{border-bottom:0}figure caption{font-size:.85rem;padding:8px 0 2px;caption-side:top}
td.n,th.n{text-align:right;padding-right:20px}td.n,td.yes,td.no{white-space:nowrap}
.yes::before{content:"\2713\00a0";font-weight:700}.no::before{content:"\2717\00a0";font-weight:700}.no{color:var(--bad-ink);font-weight:650}
.decision{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:16px;break-inside:avoid}
.state{display:inline-block;border:2px solid currentColor;border-radius:6px;padding:1px 10px;font-weight:700;letter-spacing:.03em}
.state.bad{color:var(--bad-ink)}
.decision ul{margin:10px 0 0;padding-left:1.2em}
.decision li{margin:0 0 6px}
.cols{display:grid;grid-template-columns:1fr 1fr;gap:0 36px}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;overflow-x:auto;font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.88rem;padding-top:36px;padding-bottom:48px}
@media (max-width:760px){.tiles{grid-template-columns:1fr 1fr}.cols{grid-template-columns:1fr}}
@media (max-width:640px){body{font-size:15.5px}main,header,footer{padding-left:14px;padding-right:14px}header{padding-top:24px}h1{font-size:1.6rem}svg.wide{display:none}svg.narrow{display:block}figure{padding:12px 10px 8px}.tiles .big{font-size:1.35rem}
.tiles{gap:10px}.tiles li{padding:10px 12px}section{margin-top:34px}.verdict{flex-direction:column;gap:4px;padding:12px 14px}td,th{padding-right:8px}td.n,th.n{padding-right:10px;white-space:normal;overflow-wrap:normal}
table.stack thead{display:none}table.stack,table.stack caption,table.stack tbody,table.stack tr,table.stack th,table.stack td{display:block;border:0;padding:0}table.stack tr{border-bottom:1px solid var(--line);padding:8px 0}table.stack td.n{text-align:left;white-space:normal}table.stack td[data-h]::before{content:attr(data-h) " ";color:var(--soft)}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#333;--line:#aaa;--grid:#ddd;--fault:#eee;--p50:#446;--p95:#003d7a;--p99:#5a1f6b;--lag:#6b3d00;--lag2:#3c4a10;--one:#064;--ghost:#777;--bad:#a00;--bad-ink:#800;--ok:#e5f1ea;--ok-ink:#063;--risk:#f6dfa6;--unknown:#ddd;--quiet:#eee;--limit:#a00;--w1:#c3ccd4;--w2:#9fb8cf;--w3:#6f9bc4;--w4:#d8b365;--w5:#8cbf9f;--w6:#c4584f}
body{font-size:10.5pt}main,header,footer{max-width:none;padding:0}section{margin-top:22px}svg.wide{display:block}svg.narrow{display:none}h1{font-size:20pt}.tiles{grid-template-columns:repeat(4,1fr)}.cols{grid-template-columns:1fr 1fr}tr,.verdict,.tiles{break-inside:avoid}h2,h3,figcaption{break-after:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}@page{margin:14mm}}
)css";

/// Fill patterns, so that states and parts differ without colour.
inline constexpr std::string_view kPatterns = R"svg(<svg class="defs" aria-hidden="true" focusable="false"><defs>
<pattern id="p-bad" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" style="fill:var(--bad)"/><rect width="2" height="7" style="fill:var(--card);fill-opacity:.55"/></pattern>
<pattern id="p-risk" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" style="fill:var(--risk)"/><circle cx="4" cy="4" r="1.3" style="fill:var(--ink)"/></pattern>
<pattern id="p-unknown" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" style="fill:var(--unknown)"/><rect width="6" height="1.2" style="fill:var(--soft)"/></pattern>
<pattern id="p-w4" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" style="fill:var(--w4)"/><circle cx="3" cy="3" r="1" style="fill:var(--card)"/></pattern>
<pattern id="p-w6" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" style="fill:var(--w6)"/><rect width="1.6" height="7" style="fill:var(--card);fill-opacity:.6"/></pattern>
</defs></svg>
)svg";

}  // namespace supyo::report
