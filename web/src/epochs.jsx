import { bytes, clock, duration, whole } from './format.js';
import { useCanvas } from './strip.jsx';

/// Bars: until durable (solid), then the commit (outlined); a failed epoch is a cross.
function Bars({ list, label, dark }) {
  const ref = useCanvas((g, w, h, css) => {
    const n = Math.max(list.length, 30), most = Math.max(1e-3, ...list.map(e => e.duration_s + e.commit_s)), width = w / n;
    list.forEach((e, i) => {
      const x = (n - list.length + i) * width, bar = Math.max(1, width - 1.5), a = e.duration_s / most * (h - 4), b = e.commit_s / most * (h - 4);
      if (e.failed) { g.strokeStyle = css('--bad'); g.lineWidth = 2; g.beginPath(); g.moveTo(x, h - 12); g.lineTo(x + Math.max(bar, 8), h - 2); g.moveTo(x + Math.max(bar, 8), h - 12); g.lineTo(x, h - 2); g.stroke(); return; }
      g.fillStyle = css('--line0'); g.fillRect(x, h - a, bar, Math.max(a, 1));
      g.fillStyle = css('--line1'); g.globalAlpha = 0.35; g.fillRect(x, h - a - b, bar, b); g.globalAlpha = 1;
      g.strokeStyle = css('--line1'); g.lineWidth = 1; if (b > 1.5 && bar > 2) g.strokeRect(x + 0.5, h - a - b + 0.5, bar - 1, b - 1);
    });
  }, [list, dark]);
  return <canvas class="bars" ref={ref} role="img" aria-label={label} />;
}

export function Epochs({ t, doc, at, dark }) {
  const list = (at === null ? doc.epochs : doc.epochs.filter(e => e.at_s <= at)).slice(-120), e = doc.job.epochs, shown = list.slice(-8).reverse();
  return <section class="card" id="epochs" aria-labelledby="h-epochs">
    <h2 id="h-epochs">{t('epochs')} <small>{t('epochsHint')}</small></h2>
    <p>{t('completed', whole(e.completed))}, <b class={e.failed > 0 ? 'bad' : ''}>{t('failures', whole(e.failed))}</b>{e.last_visible_at_us > 0 && at === null ? `; ${t('sinceCommit', duration(Math.max(0, doc.now_s - e.last_visible_at_us / 1e6)))}` : ''}</p>
    {list.length === 0 ? <p class="soft">{t('noEpochs')}</p> : <>
      <Bars list={list} dark={dark} label={`${t('epochs')}: ${t('duration')} ${duration(list.at(-1).duration_s)}, ${t('commit')} ${duration(list.at(-1).commit_s)}`} />
      <div class="scroll" tabindex="0" role="group" aria-labelledby="h-epochs"><table><thead><tr><th scope="col" class="l">{t('epoch')}</th><th scope="col">{t('at')}</th><th scope="col">{t('duration')}</th><th scope="col">{t('commit')}</th><th scope="col">{t('size')}</th></tr></thead>
        <tbody>{shown.map((x, i) => <tr key={x.epoch + '/' + i}><th scope="row">{x.epoch}</th><td>{clock(x.at_s)}</td>{x.failed ? <td colspan="3" class="bad">✖ {t('failed')}</td> : <><td>{duration(x.duration_s)}</td><td>{duration(x.commit_s)}</td><td>{bytes(x.bytes)}</td></>}</tr>)}</tbody></table></div>
    </>}
  </section>;
}
