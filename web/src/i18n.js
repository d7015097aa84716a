import { duration, goodPercent, whole } from './format.js';

// Texts in English and Korean: t('key', values). A key has the same form in both.
const en = {
  live: 'live', recorded: 'recorded run', paused: 'looking back', toNow: 'Back to now', noAnswer: 'Supyo does not answer', lastSeen: at => `what you see is from ${at}`,
  theme: 'Theme', themeAuto: 'automatic', themeLight: 'light', themeDark: 'dark', language: 'Language', jump: 'Sections', skip: 'Skip to the decision',
  stateOK: 'OK', stateRISK: 'AT RISK', stateINCIDENT: 'INCIDENT', stateUNKNOWN: 'UNKNOWN', since: 'since', forTime: d => `for ${d}`,
  what: 'What is wrong', who: 'Who is hurt', why: 'Why', todo: 'What to do', also: 'also',
  allHold: 'Every objective of the readers holds.', tightest: (name, left) => `Tightest: ${name}, ${left} of its error budget left.`,
  notJudged: 'This job is not judged.', notJudgedDo: 'Start it with --slo FILE: an OpenSLO file says what its readers need.',
  tooEarly: 'Not enough was seen yet to judge. That is not the same as good.', unsure: 'What readers get is not known. That is not the same as good.', silent: 'The job has said nothing for a while. That is not the same as good.',
  jobFailed: 'The job has failed', jobRestarting: 'The job is restarting', jobEnded: state => `The job has ended: ${state}`,
  restartDo: 'Read the error; when it is mended, run the same command again: it goes on from its state.',
  readersOf: tables => `Readers of ${tables}`, bad: (n, w) => `${n} records were late or lost for them in the last ${w}`, waitingNow: (n, d) => `${n} records wait right now, the oldest for ${d}`,
  staleNow: d => `what they see is ${d} old`, nobodyYet: 'Nobody yet: within the error budget.', nobody: 'Nobody.',
  whyUnknown: 'No stage takes longer than usual.', noStep: 'Look at the latency of each stage below.', riskNow: 'The last minute spends the error budget faster than it grows.',
  lagSilent: 'Lag alarms say nothing', lagAlarms: 'Lag alarms are on',
  objectives: 'Objectives', objectivesHint: 'least budget first', name: 'objective', asked: 'asked for', lastMinute: 'last minute', inWindow: 'in its window', budgetLeft: 'budget left', verdict: 'verdict',
  met: 'met', broken: 'BROKEN', atRisk: 'at risk', unknownApart: 'Not known', unknownHint: 'too little was seen; not the same as good', advising: 'advice only', sinceAt: t => `since ${t}`, alert: 'burn alert',
  burnDown: 'Error budget over time', burnDownHint: 'at 0 the objective is broken', latency: 'Latency, end to end', latencyHint: 'from the event until readers see it', p50: 'median', p95: '95th', p99: '99th',
  stages: 'Where the time goes', stagesHint: 'mean seconds a record spends in each stage; taller and darker is longer', waterfall: 'The last minute, stage by stage', total: 'total', usual: 'usual', stage: 'stage', mean: 'mean',
  stage0: 'before the log', stage1: 'unread in the log', stage2: 'until the epoch closes', stage3: 'held for the watermark', stage4: 'making it durable', stage5: 'commit to readers',
  stageNote0: 'event to produce: the producer', stageNote1: 'produce to taken', stageNote2: 'decoding, processing, checkpoint interval', stageNote3: 'windows and sorted rows wait', stageNote4: "the epoch's record", stageNote5: "the sink's commit",
  noRecords: 'No record became visible in this time.', lagBeside: 'Lag says, objective says', lagBesideHint: 'lag takes no part in the decision', objectiveSays: 'Objectives say', lagSays: 'Lag says',
  lagCommitted: 'committed lag', lagFetched: 'unread', unfinished: 'taken, not visible', burrow: "Burrow's rules", threshold: 'threshold alarm', alarmOn: 'ALARM', alarmOff: 'silent', records: 'records', noThreshold: 'silent (no threshold set)',
  blind: d => `Lag was blind for ${d} of this time.`, falseAlarm: d => `Lag raised a false alarm for ${d} of this time.`, agree: 'Both say the same over this time.',
  diagnosis: 'Causes and tickets', diagnosisHint: 'what costs most comes first', nothingFound: 'Nothing takes longer than usual, no ticket is open.', nothingKnown: 'Not enough is known to say what is wrong.', cause: 'cause', ticket: 'ticket', nextStep: 'Next step', evidence: 'Evidence',
  partition: 'partition', lossIn: d => `in ${d}`, lossNone: 'nothing will be lost at these rates', lossExposed: n => `${n} already deleted unread`, lossNext: 'first loss', lossBounds: 'not before – at latest', lossStopped: 'if the job stopped', lossSoFar: 'lost so far', lossNoOffsets: 'no committed offsets yet', lastKnown: age => `last known ${age} ago`,
  loss: 'Loss clock', lossHint: 'until the first unread record is deleted', graph: 'The job', graphHint: 'solid: one thread calls on; dashed: a queue between threads', busy: 'busy', backpressured: 'blocked', idle: 'idle', rowsIn: 'rows in', rowsOut: 'rows out', perSecond: '/s', watermark: 'watermark', late: 'late', dead: 'dead',
  shard: 'shard', state: 'state', operator: 'operator', asTable: 'The same as a table', behindNow: d => `${d} behind`, chain: 'thread',
  epochs: 'Epochs', epochsHint: 'trigger to durable, then the commit; failed ones are crossed', epoch: 'epoch', at: 'at', duration: 'until durable', commit: 'commit', size: 'journal', failed: 'FAILED', completed: n => `${n} completed`, failures: n => `${n} failed`, sinceCommit: d => `last became visible ${d} ago`, noEpochs: 'No epoch has become visible yet.',
  results: 'Results', resultsHint: 'the newest rows that readers can see', noResults: 'No row has become visible yet.', rowsWritten: n => `${n} rows since the start`, byKey: 'newest row of each key', change: 'change', chartOf: 'chart of', noTables: 'This run was started without the results.', more: n => `${n} more rows`,
  timeline: 'Time', timelineHint: 'drag, or arrow keys; Escape returns to now', range: 'Range', r300: '5 min', r900: '15 min', r3600: '1 h', r21600: '6 h', events: 'What happened', earlier: 'Earlier', later: 'Later', lookAt: 'moment', nowOnly: 'as it is now', noEvents: 'Nothing in this time.',
  evBroken: o => `objective ${o} broken`, evMet: o => `objective ${o} met again`, evEpoch: n => `epoch ${n} failed`, evLost: n => `${n} records lost`, evSpike: () => 'latency of the last minute above its threshold', evRestart: () => 'the job restarted',
  ago: d => `${d} ago`, throughput: 'Throughput', inRate: 'in', outRate: 'out', quantity: 'shown', job: 'job', uptime: 'up', restarts: 'restarts',
};
const ko = {
  live: '실시간', recorded: '기록된 실행', paused: '과거 보기', toNow: '현재로', noAnswer: 'Supyo가 응답하지 않습니다', lastSeen: at => `화면은 ${at} 기준입니다`,
  theme: '화면', themeAuto: '자동', themeLight: '밝게', themeDark: '어둡게', language: '언어', jump: '구역', skip: '판정으로 건너뛰기',
  stateOK: '정상', stateRISK: '위험', stateINCIDENT: '장애', stateUNKNOWN: '알 수 없음', since: '시작', forTime: d => `${d} 경과`,
  what: '무엇이 잘못됐나', who: '누가 영향받나', why: '왜', todo: '무엇을 할까', also: '그리고',
  allHold: '읽는 쪽의 모든 목표가 지켜지고 있습니다.', tightest: (name, left) => `가장 빠듯한 목표: ${name}, 오류 예산 ${left} 남음.`,
  notJudged: '이 작업은 판정 대상이 아닙니다.', notJudgedDo: '--slo FILE 로 시작하세요. 읽는 쪽이 필요로 하는 것을 OpenSLO 파일에 적습니다.',
  tooEarly: '아직 판정할 만큼 보지 못했습니다. 정상이라는 뜻이 아닙니다.', unsure: '읽는 쪽이 무엇을 받는지 알 수 없습니다. 정상이라는 뜻이 아닙니다.', silent: '작업에서 한동안 소식이 없습니다. 정상이라는 뜻이 아닙니다.',
  jobFailed: '작업이 실패했습니다', jobRestarting: '작업이 다시 시작하는 중입니다', jobEnded: state => `작업이 끝났습니다: ${state}`,
  restartDo: '오류를 읽고 고친 뒤 같은 명령을 다시 실행하세요. 저장된 상태에서 이어집니다.',
  readersOf: tables => `${tables} 를 읽는 쪽`, bad: (n, w) => `최근 ${w} 동안 ${n}건이 늦거나 사라졌습니다`, waitingNow: (n, d) => `지금 ${n}건이 기다리는 중, 가장 오래된 것은 ${d}째`,
  staleNow: d => `보이는 데이터는 ${d} 전 것`, nobodyYet: '아직 없음: 오류 예산 안입니다.', nobody: '없음.',
  whyUnknown: '평소보다 오래 걸리는 단계가 없습니다.', noStep: '아래에서 단계별 지연을 확인하세요.', riskNow: '최근 1분이 오류 예산을 회복보다 빨리 쓰고 있습니다.',
  lagSilent: '랙 경보는 조용합니다', lagAlarms: '랙 경보가 울렸습니다',
  objectives: '목표', objectivesHint: '예산이 적게 남은 순', name: '목표', asked: '요구', lastMinute: '최근 1분', inWindow: '목표 기간', budgetLeft: '남은 예산', verdict: '판정',
  met: '지켜짐', broken: '깨짐', atRisk: '위험', unknownApart: '알 수 없음', unknownHint: '본 것이 너무 적음. 정상이라는 뜻이 아님', advising: '참고용', sinceAt: t => `${t}부터`, alert: '소진 경보',
  burnDown: '오류 예산 추이', burnDownHint: '0이면 목표가 깨진 것', latency: '종단 간 지연', latencyHint: '사건 발생부터 읽을 수 있을 때까지', p50: '중앙값', p95: '95번째', p99: '99번째',
  stages: '시간이 어디에 쓰이나', stagesHint: '레코드가 단계마다 머문 평균 시간. 높고 진할수록 길다', waterfall: '최근 1분, 단계별', total: '합계', usual: '평소', stage: '단계', mean: '평균',
  stage0: '로그에 오기 전', stage1: '로그에서 읽히기까지', stage2: '에폭이 닫히기까지', stage3: '워터마크 대기', stage4: '내구화', stage5: '읽는 쪽에 커밋',
  stageNote0: '발생에서 발행까지: 생산자', stageNote1: '발행에서 읽기까지', stageNote2: '해독, 처리, 체크포인트 간격', stageNote3: '윈도와 정렬이 기다림', stageNote4: '에폭 기록', stageNote5: '싱크의 커밋',
  noRecords: '이 시간에 보이게 된 레코드가 없습니다.', lagBeside: '랙의 말, 목표의 말', lagBesideHint: '랙은 판정에 끼지 않습니다', objectiveSays: '목표', lagSays: '랙',
  lagCommitted: '커밋 기준 랙', lagFetched: '읽지 않음', unfinished: '읽었지만 아직 안 보임', burrow: 'Burrow 규칙', threshold: '임계값 경보', alarmOn: '경보', alarmOff: '조용함', records: '건', noThreshold: '조용함 (임계값 없음)',
  blind: d => `이 시간 중 ${d} 동안 랙은 장애를 보지 못했습니다.`, falseAlarm: d => `이 시간 중 ${d} 동안 랙이 거짓 경보를 냈습니다.`, agree: '이 시간 동안 둘의 말이 같습니다.',
  diagnosis: '원인과 티켓', diagnosisHint: '손실이 큰 것부터', nothingFound: '평소보다 오래 걸리는 것도, 열린 티켓도 없습니다.', nothingKnown: '이유를 말하기에는 아직 아는 것이 부족합니다.', cause: '원인', ticket: '티켓', nextStep: '다음 할 일', evidence: '근거',
  partition: '파티션', lossIn: d => `${d} 뒤`, lossNone: '이 속도면 유실 없음', lossExposed: n => `${n}건이 읽기 전에 이미 지워짐`, lossNext: '첫 유실', lossBounds: '빨라도 – 늦어도', lossStopped: '작업이 멈춘다면', lossSoFar: '지금까지 유실', lossNoOffsets: '커밋된 오프셋이 아직 없음', lastKnown: age => `${age} 전에 마지막으로 확인`,
  loss: '유실 시계', lossHint: '읽지 않은 첫 레코드가 지워질 때까지', graph: '작업 그래프', graphHint: '실선: 같은 스레드의 호출, 점선: 스레드 사이 큐', busy: '바쁨', backpressured: '막힘', idle: '쉼', rowsIn: '들어온 행', rowsOut: '나간 행', perSecond: '/초', watermark: '워터마크', late: '늦음', dead: '불량',
  shard: '샤드', state: '상태', operator: '연산자', asTable: '표로 보기', behindNow: d => `${d} 뒤`, chain: '스레드',
  epochs: '에폭', epochsHint: '시작에서 내구화까지, 이어서 커밋. 실패는 X', epoch: '에폭', at: '시각', duration: '내구화까지', commit: '커밋', size: '저널', failed: '실패', completed: n => `${n}개 완료`, failures: n => `${n}개 실패`, sinceCommit: d => `마지막 공개 ${d} 전`, noEpochs: '아직 보이게 된 에폭이 없습니다.',
  results: '결과', resultsHint: '읽는 쪽이 볼 수 있는 가장 새로운 행', noResults: '아직 보이게 된 행이 없습니다.', rowsWritten: n => `시작부터 ${n}행`, byKey: '키마다 가장 새로운 행', change: '변경', chartOf: '그림', noTables: '이 실행은 결과 없이 시작됐습니다.', more: n => `${n}행 더`,
  timeline: '시간', timelineHint: '끌거나 화살표 키로 이동, Esc로 현재', range: '범위', r300: '5분', r900: '15분', r3600: '1시간', r21600: '6시간', events: '일어난 일', earlier: '이전', later: '이후', lookAt: '시점', nowOnly: '현재 기준', noEvents: '이 시간에는 없음.',
  evBroken: o => `목표 ${o} 깨짐`, evMet: o => `목표 ${o} 다시 지켜짐`, evEpoch: n => `에폭 ${n} 실패`, evLost: n => `${n}건 유실`, evSpike: () => '최근 1분 지연이 한계를 넘음', evRestart: () => '작업이 다시 시작됨',
  ago: d => `${d} 전`, throughput: '처리량', inRate: '들어옴', outRate: '나감', quantity: '보기', job: '작업', uptime: '가동', restarts: '재시작',
};

// Causes and tickets: what they are called, what was seen, what to do. English evidence and steps come from the judge itself; Korean is made from its numbers.
const rules = {
  'records-lost': { en: 'Records were deleted before they were read', ko: ['읽기 전에 지워진 레코드', n => `${whole(n.records)}건이 읽기 전에 지워졌습니다`, '토픽 보존 기간을 먼저 늘리고, 작업이 왜 뒤처졌는지 확인하세요'] },
  'job-silent': { en: 'The job says nothing', ko: ['작업이 조용함', n => `${duration(n.silent_s)} 동안 작업에서 소식이 없습니다`, '프로세스가 살아 있는지, 무엇을 기다리는지 보고, 상태 디렉터리로 다시 시작하세요'] },
  'epochs-fail': { en: 'Epochs fail', ko: ['에폭 실패', n => `최근 10분에 에폭 ${whole(n.records)}개가 실패했습니다`, '작업의 마지막 오류를 읽고 쓰기 경로, 싱크 시스템, 상태를 점검하세요'] },
  undecodable: { en: 'Records cannot be decoded', ko: ['해독할 수 없는 레코드', n => `시작부터 ${whole(n.records)}건을 해독하지 못했습니다`, '`T$dead` 에서 이유를 보고 생산자에게 알리세요'] },
  'dropped-late': { en: 'Rows come too late for their window', ko: ['윈도에 늦은 행', n => `시작부터 ${whole(n.records)}행이 윈도에 늦었습니다`, '`T$late` 를 보고 워터마크 여유나 허용 지연을 늘리세요'] },
  'source-late': { en: 'Records are late before they reach the log', ko: ['로그에 오기 전에 이미 늦음', null, '생산자를 확인하세요. 파이프라인이 메울 수 없는 지연입니다'] },
  'log-wait': { en: 'Records wait unread in the log', ko: ['로그에서 읽히지 못하고 기다림', null, '들어오는 속도보다 느리게 읽고 있습니다. 가장 바쁜 연산자를 찾고 병렬도를 높이세요'] },
  'processing-wait': { en: 'Records wait for the epoch to close', ko: ['에폭이 닫히기를 기다림', null, 'execution.checkpointing.interval 을 줄이거나 배리어를 막는 연산자를 찾으세요'] },
  'watermark-wait': { en: 'Records are held for the watermark', ko: ['워터마크를 기다리며 붙잡힘', null, '새 행을 주지 않는 소스가 있습니다. 생산자와 가장 느린 파티션을 보거나 유휴 시간 제한을 두세요'] },
  'epoch-slow': { en: "The epoch's durable record is slow", ko: ['에폭 내구화가 느림', null, '상태 디렉터리의 쓰기 경로를 점검하세요: 디스크, 상태 크기, 스냅숏'] },
  'commit-slow': { en: "The sink's commit is slow", ko: ['싱크 커밋이 느림', null, '싱크 시스템이 느리거나 멈췄는지 확인하세요. 병렬도를 높이거나 저장소를 나누세요'] },
  'sink-bottleneck': { en: 'The sink is the bottleneck', ko: ['싱크가 병목', null, '싱크의 병렬도를 높이거나 저장소를 나누세요'] },
  'checkpoint-failures': { en: 'Checkpoints fail', ko: ['체크포인트 실패', null, '쓰기 경로나 상태를 점검하세요'] },
};
function waited(n) {
  const parts = [];
  if (n.waiting > 0) parts.push(`지금 ${whole(n.waiting)}건이 기다리는 중, 가장 오래된 것은 ${duration(n.oldest_s)}째`);
  if (n.mean_s !== null && n.mean_s !== undefined) parts.push(`최근 1분 평균 ${duration(n.mean_s)}` + (n.usual_s !== null && n.usual_s !== undefined ? `, 평소 ${duration(n.usual_s)}` : ''));
  if (n.quiet_s > 0) parts.push(`${duration(n.quiet_s)} 동안 새 레코드 없음`);
  return parts.join('; ');
}
const burn = 'burn alert ';
// What the judge says in English of a measure: judge_evaluate.cc, what_to_inspect.
const inspect = {
  end_to_end_latency: '어느 단계에서 기다리는지(워터폴) 보고, 거기에 적힌 일을 하세요', freshness: '어느 단계에서 기다리는지(워터폴) 보고, 거기에 적힌 일을 하세요',
  processing_success: '제때 보이지 않은 레코드를 보세요: 유실, 늦어서 버려짐, 해독 불가(`supyo late`, dead 테이블), 기한 초과', completeness: '제때 보이지 않은 레코드를 보세요: 유실, 늦어서 버려짐, 해독 불가(`supyo late`, dead 테이블), 기한 초과',
  stream_lag: '작업이 레코드를 늦게 받습니다. 생산자의 지연을 먼저 보고, 다음으로 가장 바쁜 연산자를 찾거나 병렬도를 높이세요',
  late_event_rate: '레코드가 워터마크보다 늦게 옵니다. 생산자의 시계와 지연을 보거나 WATERMARK의 여유를 늘리세요',
  window_late_rate: '레코드가 오기 전에 윈도가 닫힙니다. WATERMARK의 여유를 늘리세요. 버려진 것은 `supyo late` 가 보여 줍니다',
  duplicate_rate: '누가 두 번 쓰는지 찾으세요: 멱등하지 않은 생산자, 트랜잭션이 없는 싱크 위의 재시작, 너무 빨리 잊는 중복 제거',
  checkpoint_duration: '쓰기 경로나 상태를 점검하세요: 상태 디렉터리의 디스크, 상태 크기, 싱크의 준비 단계',
};
/// A finding in the reader's language. A ticket whose rule is an objective's name is about that objective, of `objectives`.
export function explain(lang, item, objectives = []) {
  const rule = rules[item.rule], objective = rule ? undefined : objectives.find(o => o.name === item.rule);
  if (objective && lang === 'ko') return { title: title(lang, objective), evidence: item.evidence.startsWith(burn) ? `예산 소진 알림 ${item.evidence.slice(burn.length)}` : wrong(lang, objective), step: inspect[objective.measure] ?? item.next_step };
  if (lang !== 'ko' || !rule) return { title: rule?.en ?? (objective ? title(lang, objective) : item.rule), evidence: item.evidence, step: item.next_step };
  const [name, evidence, step] = rule.ko;
  return { title: name, evidence: item.numbers ? (evidence ?? waited)(item.numbers) : item.evidence, step };
}

const measures = {
  en: { end_to_end_latency: 'End-to-end latency', freshness: 'Freshness', processing_success: 'Processing success', late_event_rate: 'Late events', completeness: 'Completeness', checkpoint_duration: 'Checkpoint duration', stream_lag: 'Stream lag', window_late_rate: 'Rows too late for their window', duplicate_rate: 'Duplicates' },
  ko: { end_to_end_latency: '종단 간 지연', freshness: '신선도', processing_success: '처리 성공', late_event_rate: '늦은 사건', completeness: '완전성', checkpoint_duration: '체크포인트 시간', stream_lag: '스트림 지연', window_late_rate: '윈도에 늦은 행', duplicate_rate: '중복' },
};
export const title = (lang, o) => lang === 'ko' ? measures.ko[o.measure] ?? o.display_name ?? o.name : o.display_name || o.name;
/// What an objective asks for: "95 % under 5 s, over 10 min".
export function asks(lang, o) {
  const share = goodPercent(o.target), window = duration(o.window_s), limit = o.threshold_s === null ? null : duration(o.threshold_s);
  if (lang === 'ko') return `${window} 동안 ${share}` + (limit === null ? ' 정상' : ` ${limit} 미만`);
  return limit === null ? `${share} good, over ${window}` : `${share} under ${limit}, over ${window}`;
}
/// What is wrong with it: "83.2 % of 1,200 under 5 s, where 95 % are needed".
export function wrong(lang, o) {
  const n = o.good + o.bad, share = goodPercent(n ? o.good / n : null), limit = o.threshold_s === null ? null : duration(o.threshold_s), window = duration(o.window_s);
  if (lang === 'ko') return `${title(lang, o)}: 최근 ${window} 동안 ${limit === null ? '정상' : limit + ' 미만'}이 ${share} 뿐 (${goodPercent(o.target)} 필요)`;
  return `${title(lang, o)}: only ${share} ${limit === null ? 'good' : 'under ' + limit} in the last ${window} (${goodPercent(o.target)} needed)`;
}

export function texts(lang) {
  const table = lang === 'ko' ? ko : en;
  const t = (key, ...values) => { const text = table[key]; return typeof text === 'function' ? text(...values) : text ?? key; };
  t.lang = lang;
  return t;
}
export const tables = { en, ko };
