"""The look of the report page."""

STYLE = """
:root{--ink:#22303a;--quiet:#5b6873;--line:#d9dfe4;--soft:#f4f7f9;--accent:#1d5f8a;
--warn:#8a4b00;--warn-soft:#fff4e0;--warn-line:#e69f00}
*{box-sizing:border-box}
html{color-scheme:light;-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{margin:0 auto;padding:28px 32px 40px;max-width:1080px;color:var(--ink);background:#fff;
font:15px/1.5 "Source Sans 3","Segoe UI","Helvetica Neue",Arial,"Liberation Sans",sans-serif;
overflow-wrap:anywhere}
h1{margin:0;font-size:27px;line-height:1.2;font-weight:600;letter-spacing:-.01em}
h2{margin:44px 0 10px;padding-bottom:5px;font-size:20px;font-weight:600;
border-bottom:2px solid var(--accent)}
h3{margin:22px 0 8px;font-size:15px;font-weight:600}
p{margin:0 0 10px;max-width:80ch}
header p{margin:4px 0 12px;color:var(--quiet)}
nav{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:14px}
a{color:var(--accent);text-decoration:none}
a:hover{text-decoration:underline}
header+main>section:first-child h2{margin-top:26px}
.box{padding:18px 20px 12px;background:var(--soft);border:1px solid var(--line);
border-radius:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:14px 20px}
.card h3{margin:0;font-size:13px;font-weight:400;color:var(--quiet)}
.card p{margin:0;font-size:13px;color:var(--quiet)}
.card .big{font-size:25px;line-height:1.25;font-weight:600;color:var(--ink);
font-variant-numeric:tabular-nums}
.box>h3{margin:18px 0 6px}
h3.alert{color:var(--warn)}
h3.alert::before{content:"\\26A0\\FE0E\\00A0"}
h3.calm{font-weight:400;color:var(--quiet)}
.findings{margin:0 0 8px;padding:0;list-style:none}
.findings li{margin:0 0 6px;padding:7px 12px;border-left:4px solid var(--line);background:#fff}
.findings.warning li{border-color:var(--warn-line);background:var(--warn-soft)}
.place{white-space:nowrap;color:var(--quiet)}
.plain{margin-top:10px;font-size:13px;color:var(--quiet)}
.aside{margin-left:12px;font-weight:400;color:var(--quiet)}
.pictures{display:grid;gap:16px}
.pictures.large{grid-template-columns:repeat(2,minmax(0,1fr))}
.pictures.small{grid-template-columns:repeat(4,minmax(0,1fr));gap:10px}
figure{margin:0;break-inside:avoid}
figcaption{margin-bottom:4px;font-size:14px;font-weight:600}
.small figcaption{font-size:13px;font-weight:400;color:var(--quiet)}
svg{display:block}
svg.slice,svg.chart{width:100%;height:auto}
svg.slice{border-radius:4px}
svg text{font-family:inherit;font-variant-numeric:tabular-nums}
.scale{display:flex;flex-wrap:wrap;align-items:flex-start;gap:0 8px;margin-top:7px;
font-size:13px;line-height:14px;color:var(--quiet)}
.scale .bar{width:300px;max-width:100%}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:6px 0 0;padding:0;list-style:none;
font-size:13px;color:var(--quiet)}
.legend li{display:flex;align-items:center;gap:6px;min-width:0}
.legend svg{flex:none}
.one{max-width:760px;margin-bottom:20px;break-inside:avoid}
.one .legend{margin-left:10.9%}
.wide{overflow-x:auto;margin:0 0 22px}
table{width:100%;border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
caption{padding:12px 0 4px;text-align:left;font-weight:600;font-size:15px}
th{padding:5px 10px 5px 0;text-align:left;vertical-align:bottom;font-weight:600;font-size:13px;
color:var(--quiet);border-bottom:1.5px solid var(--quiet)}
td{padding:4px 10px 4px 0;vertical-align:top;border-bottom:1px solid var(--line)}
th.number,td.number{text-align:right;padding-left:10px}
td.number{white-space:nowrap}
td:first-child,th:first-child{padding-left:2px}
table.narrow{width:auto;min-width:60%}
.narrow td:last-child,.narrow th:last-child{min-width:7ch;padding-left:10px;white-space:nowrap}
.narrow td:first-child{min-width:26ch}.narrow th.number{max-width:26ch}
abbr{text-decoration:none;cursor:help;border-bottom:1px dotted #a9b3bb}
.missing{font-style:italic;color:var(--warn)}
details{margin-bottom:8px}
summary{padding:4px 0;font-weight:600;cursor:pointer;break-after:avoid}
.two{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 40px}
.pairs{break-inside:avoid}
dl{margin:0}
.pairs dl{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);font-size:14px}
.pairs dt,.pairs dd{margin:0;padding:3px 8px 3px 0;border-bottom:1px solid var(--line)}
.pairs dt{color:var(--quiet)}
.file{display:inline-block;min-width:16ch}
code,pre{font:12px/1.45 "DejaVu Sans Mono",Consolas,Menlo,monospace;overflow-wrap:anywhere}
pre{margin:0;padding:10px 12px;white-space:pre-wrap;background:var(--soft);border-radius:6px}
.glossary{columns:2;column-gap:40px;font-size:14px}
.glossary dt{font-weight:600;break-after:avoid}
.glossary dd{margin:0 0 9px;color:var(--quiet);break-inside:avoid}
footer{margin-top:44px;padding-top:12px;border-top:1px solid var(--line);color:var(--quiet);
font-size:13px}
@media (max-width:720px){body{padding:18px 16px}.pictures.large,.two{grid-template-columns:1fr}
.pictures.small{grid-template-columns:repeat(2,minmax(0,1fr))}.glossary{columns:1}}
@page{size:A4;margin:15mm 14mm 16mm;@bottom-left{content:"Research software, not a medical device";
font:8pt Arial,sans-serif;color:#5b6873}@bottom-right{content:counter(page) " / " counter(pages);
font:8pt Arial,sans-serif;color:#5b6873}}
@media print{body{max-width:none;padding:0;font-size:9.5pt}nav{display:none}
h1{font-size:17pt}h2{margin-top:22pt;font-size:13pt;break-after:avoid}h3{break-after:avoid}
h3{font-size:10.5pt}.pictures.large,.pictures.small{grid-template-columns:repeat(2,minmax(0,1fr))}
.pictures.small{grid-template-columns:repeat(4,minmax(0,1fr));gap:6px}
.cards{grid-template-columns:repeat(auto-fit,minmax(31mm,1fr));gap:8pt 10pt}
.card .big{font-size:15pt}
.card h3,.card p,.legend,.scale,.plain{font-size:8pt}figcaption,.small figcaption{font-size:8.5pt}
#slices{break-before:page}section>p{break-after:avoid}p{break-inside:avoid}
.large svg.slice{max-height:84mm}
.small svg.slice{max-height:60mm}.box{padding:10pt 12pt 6pt}.one{max-width:150mm}
.scale .bar{width:52mm}
table,.pairs dl,.glossary{font-size:8pt}th{font-size:8pt}caption{font-size:10pt}
td{padding-top:2px;padding-bottom:2px}tr{break-inside:avoid}thead{display:table-header-group}
.wide{overflow:visible}table.narrow{break-inside:avoid}
.narrow td:first-child{min-width:0}
code,pre{font-size:7pt}abbr{border:0}footer{break-inside:avoid}}
"""
"""Style sheet for the screen and, under ``@media print``, for A4 paper."""

TABLES_STYLE = """
.three{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:22px 20px;margin:10px 0 18px}
.couple{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:22px 20px;margin:10px 0 18px}
.wholes{display:grid;gap:22px;margin:10px 0 18px}
.three figcaption,.couple figcaption,.wholes figcaption{font-size:14px;line-height:1.3}
figure .under{margin:3px 0 0;font-size:12.5px;color:var(--quiet)}
.three .legend,.three .legend svg{font-size:12px}
td.part{padding-top:10px;font-weight:600;border-bottom-color:var(--quiet)}
table.dense td,table.dense th{padding-left:6px;padding-right:6px;font-size:13px}
.forest{max-width:760px}.faint{color:var(--quiet)}
.methods p{max-width:90ch}
@media (max-width:720px){.three,.couple{grid-template-columns:1fr}}
@media print{tr:has(>.part),section>.legend{break-after:avoid}
.three{grid-template-columns:repeat(2,minmax(0,1fr));gap:10pt}
table.dense td,table.dense th{font-size:7.5pt;padding-left:2px;padding-right:3px}
figure .under{font-size:7.5pt}.forest{max-width:150mm}}
"""
"""What pages of tables and figures side by side have beyond :data:`STYLE`."""
