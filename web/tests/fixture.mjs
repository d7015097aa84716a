// Documents as /v1/dashboard gives them (docs/reference/http.md), for the tests of the page.
export const NOW = 1_795_000_000;
export const evil = '<img src=x onerror="document.title=\'owned\'">';

const wave = (i, a, b) => a + b * (0.5 + 0.5 * Math.sin(i / 7));

const objective = (name, measure, o) => ({
  name, measure, display_name: '', description: '', service: 'orders', objective: '', role: 'deciding', clock: 'event', reference: 'record', target: 0.95, threshold_s: 5, window_s: 600,
  judged: true, breached: false, breached_since_s: null, good: 120_000, bad: 600, now: { good: 12_000, bad: 60 }, budget_left: 0.9, alerts: [], ...o,
});

const wait = (waiting, oldest_s, mean_s, usual_s) => ({ waiting, oldest_s, mean_s, usual_s });

/// kind: 'ok', 'incident' (the sink's commit became slow four minutes ago), 'unknown' (just started), 'unjudged', 'failed'.
export function document(kind, { live = true, steps = 180, step = 5 } = {}) {
  const incident = kind === 'incident', start = NOW - steps * step, began = NOW - 245, t = [], state = [], col = {}, waterfalls = [];
  const names = ['e2e_p50', 'e2e_p95', 'e2e_p99', 'e2e_window_p95', 'pipe_p50', 'pipe_p95', 'pipe_p99', 'freshness', 'freshness_naive', 'epoch_duration', 'commit_delay', 'commit_age', 'lag_time', 'lag_committed', 'lag_fetched', 'unfinished',
    'records_in', 'records_out', 'burrow', 'state', 'bad_share:latency', 'now_bad_share:latency', 'breached:latency', 'bad_share:freshness', 'now_bad_share:freshness', 'breached:freshness', 'bad_share:success', 'now_bad_share:success', 'breached:success'];
  for (const n of names) col[n] = [];
  for (let i = 0; i < steps; ++i) {
    const at = start + (i + 1) * step, bad = incident && at > began, into = bad ? Math.min(1, (at - began) / 200) : 0, early = i < 12;
    t.push(at);
    const commit = bad ? 4 + 38 * into : 0.2;
    const values = [wave(i, 1.6, 0.3) + commit * 0.8, wave(i, 2.9, 0.4) + commit, wave(i, 3.3, 0.4) + commit * 1.1, 4, 1, 2, 3, bad ? commit : wave(i, 1, 2), 3, 0.04, commit, 2, bad ? commit + 2 : wave(i, 1, 1), wave(i, 180, 60), 0, bad ? 2000 * commit : 2000,
      2000 * step, bad ? 300 * step : 2000 * step, 0, early ? 3 : bad ? (into > 0.2 ? 2 : 1) : 0, bad ? 0.004 + 0.4 * into : 0.004, bad ? into : 0.005, early ? null : bad && into > 0.2 ? 1 : 0, 0, bad && into > 0.8 ? 0.2 : 0, early ? null : 0, bad ? 0.0008 * into : 0, 0, early ? null : 0];
    names.forEach((n, k) => col[n].push(kind === 'unknown' && i < steps - 8 ? null : values[k]));
    waterfalls.push(kind === 'unknown' && i < steps - 8 ? null : [2000 * step, 0.45, 0.02, 1.5, 0.3, 0.03, commit]);
    state.push(values[19]);
  }
  if (kind === 'unknown') { col.state = col.state.map(s => s === null ? null : 3); for (const n of names) if (n.startsWith('breached')) col[n] = col[n].map(() => null); }
  for (const n of ['bad_share:', 'now_bad_share:', 'breached:']) col[n + 'window-rate ' + evil] = t.map(() => null);
  const objectives = [
    objective('freshness', 'freshness', { target: 0.99, threshold_s: 30, good: 600, bad: 0, now: { good: 60, bad: 0 }, budget_left: 1 }),
    objective('latency', 'end_to_end_latency', incident ? { good: 716_000, bad: 484_000, now: { good: 0, bad: 120_000 }, breached: true, breached_since_s: began + 40, budget_left: -7.1 } : {}),
    objective('success', 'processing_success', { target: 0.999, threshold_s: 30, good: 1_199_000, bad: incident ? 950 : 4, budget_left: incident ? 0.2 : 0.98 }),
    objective('window-rate ' + evil, 'late_event_rate', { target: 0.99, threshold_s: null, judged: false, good: 0, bad: 0, now: { good: 0, bad: 0 }, role: 'advising', window_s: 2_592_000, budget_left: 1 }),
  ].map(o => kind === 'unknown' ? { ...o, judged: false } : o);
  const commit = { rule: 'commit-slow', weight: 9e6, numbers: wait(76_400, 38.2, 38, 0.2), evidence: "76400 records wait for the sink's commit now, the oldest for 38 s; in the last minute a record waited 38 s for the sink's commit on average, 0.2 s usually",
    next_step: 'inspect the sink: is its system slow or down? raise its parallelism or separate the store' };
  const held = { rule: 'processing-wait', weight: 8e5, numbers: wait(4000, 2.1, 1.9, 1.5), evidence: '4000 records wait for the epoch to close now, the oldest for 2.1 s', next_step: 'shorten execution.checkpointing.interval, or find the operator that holds the barrier back' };
  const word = { ok: 'OK', incident: 'INCIDENT', unknown: 'UNKNOWN', failed: 'OK' }[kind];
  const slo = {
    state: word, since_s: incident ? began + 40 : start + 60, sampled_s: NOW, started_s: start, reasons: incident ? ['latency: 59.67 % of 1200000 records good in the last 10 min, 95 % needed'] : kind === 'unknown' ? ['not enough seen yet to judge'] : [],
    causes: incident ? [commit, held] : [], tickets: incident ? [{ rule: 'sink-bottleneck', evidence: "the sink's commit takes 38.2 s of an epoch of 3 s, for 3 min", next_step: "raise the sink's parallelism or separate the store" },
      { rule: 'success', evidence: 'burn alert page 14.4x over 1 h and 5 min', next_step: 'see which records are not visible in time: lost, dropped late, undecodable (`supyo late`, the dead table) or overdue' }] : [], objectives,
    waterfall: kind === 'unknown' ? null : [120_000, 0.45, 0.02, 1.5, 0.3, 0.03, incident ? 38 : 0.2], totals: { taken: 1, finished: 1, unfinished: 1, lost: 0, duplicates: 0, dead: 0, dropped_late: 0, behind: 0 },
    lag: { committed: 210, fetched: 0, raw_alarm: false, burrow: 'OK' },
  };
  const series = {
    from_s: start, to_s: NOW, step_s: step, t, columns: col, waterfalls, events: incident ? [{ t: began + 15, what: 'end-to-end latency of the last minute above its threshold' }, { t: began + 40, what: 'objective latency broken' }, { t: began + 40, what: 'state AT RISK -> INCIDENT' }] : [],
    moments: [{ t: start + 5, state: 'UNKNOWN', reasons: ['not enough seen yet to judge'], causes: [] }, { t: start + 60, state: 'OK', reasons: [], causes: [] },
      ...(incident ? [{ t: began, state: 'AT RISK', reasons: ['the last minute spends the error budget faster than it grows'], causes: [commit] }, { t: began + 40, state: 'INCIDENT', reasons: slo.reasons, causes: [commit, held] }] : [])],
  };
  const node = (id, kind2, name, head) => ({ id, kind: kind2, name, head, instances: 2 });
  const stats = (id, name, rows_in, rows_out, busy, blocked) => ({ id, name, rows_in, rows_out, behind: 0, late: id === 2 ? 12 : 0, dead: id === 0 ? 3 : 0, busy_us: busy, backpressured_us: blocked, watermark_us: (NOW - 2) * 1e6 });
  const epochs = Array.from({ length: 90 }, (_, i) => ({ epoch: 400 + i, failed: incident && i === 70, at_s: NOW - (90 - i) * 3, duration_s: 0.03 + 0.01 * (i % 5), commit_s: incident && i > 75 ? 2 + i - 75 : 0.2, bytes: 81_000 + i }));
  const regions = ['경기', '서울', '부산', '인천', 'Jeju', evil], results = [
    { name: 'region_counts', keyed: false, written: 660, left_out: 0, columns: [{ name: 'window_start', type: 'TIMESTAMP(3)', kind: 'time' }, { name: 'window_end', type: 'TIMESTAMP(3)', kind: 'time' }, { name: 'region', type: 'STRING', kind: 'text' }, { name: 'orders', type: 'BIGINT', kind: 'number' }, { name: 'amount', type: 'DECIMAL(12, 2)', kind: 'number' }],
      rows: Array.from({ length: 66 }, (_, i) => ({ op: '+I', cells: [`2026-11-22 06:${String(10 - Math.floor(i / 6)).padStart(2, '0')}:00.000`, `2026-11-22 06:${String(11 - Math.floor(i / 6)).padStart(2, '0')}:00.000`, regions[i % 6], String(Math.round(400 - 55 * (i % 6) + 40 * Math.sin(i))), (9000.5 + 100 * i).toFixed(2)] })) },
    { name: 'user_totals', keyed: true, written: 90, left_out: 0, columns: [{ name: 'user_id', type: 'BIGINT', kind: 'number' }, { name: 'total', type: 'BIGINT', kind: 'number' }, { name: 'note', type: 'STRING', kind: 'text' }], rows: [{ op: '+U', cells: ['7', '120', null] }, { op: '+I', cells: ['9', '40', evil] }] },
  ];
  return {
    live, now_s: NOW, graph: { nodes: [node(0, 'source', 'TableSourceScan(table=[default_catalog.default_database.orders], fields=[region, user_id, amount, event_time], watermark=[event_time - 1s])', 0), node(1, 'operator', 'Calc(select=[region, user_id, amount, event_time], where=[region IS NOT NULL])', 0), node(2, 'operator', 'WindowAggregate(groupBy=[region], window=[TUMBLE(time_col=[event_time], size=[1min])], select=[COUNT(*) AS EXPR$3])', 2), node(3, 'sink', 'Sink(table=[default_catalog.default_database.region_counts], fields=[window_start, window_end, region, orders, amount])', 2), node(4, 'operator', 'GroupAggregate(groupBy=[user_id], select=[SUM(amount) AS EXPR$1])', 4), node(5, 'sink', 'Sink(table=[default_catalog.default_database.user_totals], fields=[user_id, total, note])', 4)],
      edges: [{ from: 0, to: 1, direct: true, keyed: false }, { from: 1, to: 2, direct: false, keyed: true }, { from: 2, to: 3, direct: true, keyed: false }, { from: 1, to: 4, direct: false, keyed: true }, { from: 4, to: 5, direct: true, keyed: false }] },
    job: { state: kind === 'failed' ? 'FAILED' : live ? 'RUNNING' : 'FINISHED', job_id: 'j', name: 'region-orders', parallelism: 2, started_us: start * 1e6, now_us: NOW * 1e6, rows_in: 1_800_000, rows_out: 750, late: 12, dead: 3, behind: 40, restarts: incident ? 1 : 0, watermark_us: (NOW - 2) * 1e6,
      epochs: { completed: 490, failed: incident ? 1 : 0, last_final: 490, last_visible: 489, last_duration_us: 30_000, last_commit_us: 200_000, duration_max_us: 90_000, last_bytes: 81_000, last_visible_at_us: (NOW - (incident ? 38 : 1)) * 1e6 },
      nodes: [stats(0, 'TableSourceScan(table=[default_catalog.default_database.orders], fields=[region, user_id, amount, event_time], watermark=[event_time - 1s])', 1_800_000, 1_800_000, 3e8, incident ? 9e8 : 1e7), stats(1, 'Calc(select=[region, user_id, amount, event_time], where=[region IS NOT NULL])', 1_800_000, 1_799_000, 0, 0), stats(2, 'WindowAggregate(groupBy=[region], window=[TUMBLE(time_col=[event_time], size=[1min])], select=[COUNT(*) AS EXPR$3])', 1_799_000, 660, 2e8, 0), stats(3, 'Sink(table=[default_catalog.default_database.region_counts], fields=[window_start, window_end, region, orders, amount])', 660, 0, 0, 0), stats(4, 'GroupAggregate(groupBy=[user_id], select=[SUM(amount) AS EXPR$1])', 1_799_000, 90, 1e8, 0), stats(5, 'Sink(table=[default_catalog.default_database.user_totals], fields=[user_id, total, note])', 90, 0, 0, 0)],
      shards: [{ busy_us: 3e8, idle_us: 5e8, backpressured_us: incident ? 5e8 : 1e6, state_bytes: 81_000, state_entries: 660 }, { busy_us: 3e8, idle_us: 6e8, backpressured_us: 0, state_bytes: 70_000, state_entries: 610 }], last_error: kind === 'failed' ? 'SUPYO-6003 the disk is full ' + evil : '' },
    loss: kind === 'incident' ? { source: '127.0.0.1:9092', reachable: true, problem: '', known_age_s: 0, partitions: [
      { group: 'region-orders', topic: 'orders', partition: 3, state: 'coming', cause: 'retention.ms', lower_s: 2400, central_s: 2700, upper_s: 3100, stopped_s: 1900, exposed: 0, lost: 0, why: '' },
      { group: 'region-orders', topic: 'orders', partition: 0, state: 'none', cause: 'none', lower_s: null, central_s: null, upper_s: null, stopped_s: 1900, exposed: 0, lost: 0, why: '' }],
      findings: [{ rule: 'partition-skew', severity: 'ticket', subject: 'region-orders', evidence: 'partition 3 has 71 % of the lag ' + evil, next_step: 'spread the key' }] } : kind === 'unknown' ? { source: '127.0.0.1:9092', reachable: false, problem: 'nobody answers', known_age_s: null, partitions: [], findings: [] } : null,
    epochs, results, slo: kind === 'unjudged' ? null : slo, series: kind === 'unjudged' ? null : series,
  };
}
