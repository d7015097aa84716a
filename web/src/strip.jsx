import { useEffect, useRef } from 'preact/hooks';

export function useCanvas(draw, inputs) {
  const ref = useRef(null);
  useEffect(() => {
    const canvas = ref.current, paint = () => {
      const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
      if (canvas.width !== Math.round(w * ratio)) canvas.width = Math.round(w * ratio);
      if (canvas.height !== Math.round(h * ratio)) canvas.height = Math.round(h * ratio);
      const g = canvas.getContext('2d');
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.clearRect(0, 0, w, h);
      draw(g, w, h, name => getComputedStyle(canvas).getPropertyValue(name).trim());
    };
    paint();
    const observer = new ResizeObserver(paint);
    observer.observe(canvas);
    return () => observer.disconnect();
  }, inputs);
  return ref;
}

/// States over time, each with a height and a pattern of its own besides its colour: 0 good, 1 at risk, 2 bad, 3 unknown, null nothing recorded.
export function Strip({ values, label, dark, mark }) {
  const ref = useCanvas((g, w, h, css) => {
    const n = values.length, x = i => Math.round(i * w / n);
    const look = [['--ok', 0.35], ['--risk', 0.65], ['--bad', 1], ['--unknown', 0.5]];
    for (let i = 0; i < n;) {
      let j = i;
      while (j < n && values[j] === values[i]) ++j;
      const kind = look[values[i]];
      if (kind) {
        const height = kind[1] * h;
        g.fillStyle = css(kind[0]);
        g.fillRect(x(i), h - height, x(j) - x(i), height);
        if (values[i] >= 2) {   // bad and unknown are hatched, each its way
          g.save(); g.beginPath(); g.rect(x(i), h - height, x(j) - x(i), height); g.clip();
          g.strokeStyle = css('--card'); g.lineWidth = 1.5;
          for (let k = x(i) - h; k < x(j) + h; k += values[i] === 2 ? 7 : 5) { g.beginPath(); g.moveTo(k, values[i] === 2 ? h : 0); g.lineTo(k + h, values[i] === 2 ? 0 : h); g.stroke(); }
          g.restore();
        }
      }
      i = j;
    }
    if (mark >= 0) { g.fillStyle = css('--ink'); g.fillRect(Math.round((mark + 1) * w / n) - 2, 0, 3, h); }
  }, [values, dark, mark]);
  return <canvas class="strip" ref={ref} role="img" aria-label={label} />;
}
