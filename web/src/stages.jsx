import { duration } from './format.js';
import { useCanvas } from './strip.jsx';

/// One stage over time: taller and darker is longer, on one scale for all stages (square root, so that the small ones are seen).
function HeatRow({ values, most, label, dark, mark }) {
  const ref = useCanvas((g, w, h, css) => {
    const n = values.length, colour = css('--heat'), x = i => Math.round(i * w / n);
    values.forEach((v, i) => {
      if (v === null || v <= 0) return;
      const share = Math.min(1, Math.sqrt(v / most)), height = Math.max(1.5, share * h);
      g.globalAlpha = 0.35 + 0.65 * share;
      g.fillStyle = colour;
      g.fillRect(x(i), h - height, Math.max(1, x(i + 1) - x(i)), height);
    });
    g.globalAlpha = 1;
    g.fillStyle = css('--rule'); g.fillRect(0, h - 1, w, 1);
    if (mark >= 0) { g.fillStyle = css('--ink'); g.fillRect(Math.round((mark + 1) * w / n) - 2, 0, 3, h); }
  }, [values, most, dark, mark]);
  return <canvas class="heat" ref={ref} role="img" aria-label={label} />;
}

export function Stages({ t, view, at, dark }) {
  const w = view.waterfall, usual = view.usual, all = view.series.waterfalls;
  const mean = i => w ? w[i + 1] : null, total = w ? w.slice(1).reduce((a, b) => a + b, 0) : null, usualTotal = usual ? usual.slice(1).reduce((a, b) => a + b, 0) : null;
  const most = Math.max(1e-3, ...all.flatMap(x => x ? x.slice(1) : []));
  // The parts add up to the total: each begins where the one before ended. A part may be negative (a clock ahead).
  let from = 0;
  const starts = [0, 1, 2, 3, 4, 5].map(i => { const s = from; from += mean(i) ?? 0; return s; });
  const span = Math.max(total ?? 0, ...starts, 1e-6);
  const longest = w ? w.slice(1).indexOf(Math.max(...w.slice(1))) : -1;
  return <section class="card" aria-labelledby="h-stages">
    <h2 id="h-stages">{t('stages')} <small>{t('stagesHint')}</small></h2>
    {!all.some(x => x) ? <p class="soft">{t('noRecords')}</p> : null}
    <div class="scroll" tabindex="0" role="group" aria-labelledby="h-stages"><table class="stages">
      <thead><tr><th scope="col" class="l">{t('stage')}</th><th scope="col" class="heat-cell">{t('timeline')}</th><th scope="col" class="fall-cell">{t('waterfall')}</th><th scope="col">{t('mean')}</th><th scope="col">{t('usual')}</th></tr></thead>
      <tbody>{[0, 1, 2, 3, 4, 5].map(i => <tr key={i} class={i === longest ? 'longest' : ''}>
        <th scope="row">{t('stage' + i)}<small class="about">{t('stageNote' + i)}</small></th>
        <td class="heat-cell"><HeatRow values={all.map(x => x ? x[i + 1] : null)} most={most} label={`${t('stage' + i)}: ${duration(mean(i))}`} dark={dark} mark={at === null ? -1 : view.index} /></td>
        <td class="fall-cell"><span class="fall" aria-hidden="true"><span style={{ left: `${100 * Math.max(0, Math.min(starts[i], starts[i] + (mean(i) ?? 0))) / span}%`, width: `${100 * Math.abs(mean(i) ?? 0) / span}%` }} /></span></td>
        <td>{duration(mean(i))}</td><td class="soft">{usual ? duration(usual[i + 1]) : '–'}</td>
      </tr>)}
      <tr class="sum"><th scope="row">{t('total')}</th><td class="heat-cell" /><td class="fall-cell" /><td>{duration(total)}</td><td class="soft">{duration(usualTotal)}</td></tr></tbody>
    </table></div>
  </section>;
}
