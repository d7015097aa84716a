#include "lab/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <regex>

#include "core/env/real/real_env.h"
#include "judge/slo/analytic_pipeline_test.h"
#include "lab/report/summary.h"
#include "lab/report/svg.h"
#include "lab/scenario/evaluate.h"

namespace supyo::report {
namespace {

constexpr TimeUs kStart = 1'767'225'600 * kSecond;

scenario::Arm arm(const std::string& name, DurationUs commit_delay, TimeUs fault_from, TimeUs fault_to, TimeUs end) {
  slo::AnalyticPipeline p;
  p.tps = 50;
  p.commit_delay_us = [=](TimeUs t) { return t >= fault_from && t < fault_to ? commit_delay : 50 * kMillisecond; };
  slo::Judge judge(slo::document_000(), {});
  scenario::Arm a;
  a.name = name;
  p.run(judge, kStart, end);
  const slo::Series s = judge.series();
  const auto seconds = [](TimeUs t) { return static_cast<double>(t - kStart) / 1e6; };
  std::vector<double> offered, rows;
  for (const TimeUs t : s.times()) {
    a.t_s.push_back(seconds(t));
    offered.push_back(seconds(t) * 50);
    rows.push_back(std::max(0.0, seconds(t) - (t >= fault_from && t < fault_to ? 2.5 + static_cast<double>(commit_delay) / 1e6 : 2.5)) * 50);
  }
  a.columns = s.columns();
  a.columns.push_back({"offered", "records", offered});
  a.columns.push_back({"table_rows", "records", rows});
  for (const auto& e : judge.timeline()) a.timeline.emplace_back(seconds(e.t), e.what);
  std::vector<double> qs;
  for (int i = 1; i <= 200; ++i) qs.push_back(i / 200.0);
  for (const auto& [phase, from, to] : {std::tuple{"baseline", kStart, fault_from}, {"fault", fault_from, fault_to}, {"recovery", fault_to, end}}) {
    for (const DurationUs v : judge.latency_quantiles(from + kMinute, to, qs)) a.latency[phase].upper_s.push_back(static_cast<double>(v) / 1e6), a.latency[phase].records.push_back(1);
    const slo::Waterfall w = judge.waterfall(from + kMinute, to);
    const auto mean = [&](std::int64_t us) { return static_cast<double>(us) / static_cast<double>(w.records) / 1e6; };
    a.waterfall[phase] = {static_cast<double>(w.records), mean(w.source_us), mean(w.log_us), mean(w.interval_us), mean(w.watermark_us), mean(w.epoch_us), mean(w.commit_us)};
    scenario::Judgement j{seconds(to), "INCIDENT", {"end-to-end-latency: 66 % of 30000 records good in the last 10 min, 95 % needed"}, {}};
    j.tickets.push_back({"sink-bottleneck", "the sink's commit takes 2 s of an epoch of 3 s, for 11 min", "raise the sink's parallelism or separate the store"});
    a.judgements.push_back(j);
  }
  a.counts = {{"sent", 100}, {"acked", 100}, {"failed", 0}, {"unknown", 0}, {"acked_ids", 100}, {"applied", 100}, {"distinct", 100}, {"late", 0}, {"dead", 0}, {"epochs", 720}, {"epochs_failed", 0}, {"unfinished", 0}};
  a.drained = true;
  return a;
}

/// A result as a lab gives it, from the judge fed on paper. Only for these tests.
scenario::LabResult paper_result() {
  const TimeUs from = kStart + 12 * kMinute, to = from + 12 * kMinute, end = to + 12 * kMinute;
  scenario::LabResult r;
  r.lab = "lag-blind-sink";
  r.title = "Lag is blind to a slow sink";
  r.hypothesis = "A slow table commit breaks the end-to-end objective while committed and fetched lag stay at their baseline.";
  r.seed = 1;
  r.phases = {{"baseline", 0, 720, false}, {"fault", 720, 1440, true}, {"recovery", 1440, 2160, false}};
  for (const slo::Objective& o : slo::document_000().items) {
    r.objectives.push_back({o.name, o.name, o.sentence(), std::string(slo::measure_name(o.measure)), "deciding", o.target, static_cast<double>(o.threshold_us) / 1e6, static_cast<double>(o.window_us) / 1e6});
  }
  r.fault = arm("fault", 2 * kSecond, from, to, end);
  r.control = arm("control", 50 * kMillisecond, from, to, end);
  r.versions = {{"supyo", "0.1.0"}, {"compiler", "clang 19"}};
  r.config = {{"fault", "iceberg.commit.before, delay commit_delay, phase fault"}, {"knob interval", "3s"}, {"workload", "product, 2000 changes/s"}};
  r.repeat = "supyo lab run lag-blind-sink --seed 1";
  env::RealEnv real;
  auto s = scenario::load_scenario(real.env().files, SUPYO_SOURCE_DIR "/scenarios/lag-blind-sink.yaml");
  EXPECT_TRUE(s);
  s->workload.tps = 50;
  EXPECT_TRUE(scenario::evaluate(*s, r));
  return r;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Report, HoldsEverythingTheLabAsksFor) {
  const scenario::LabResult r = paper_result();
  EXPECT_EQ(r.verdict, scenario::Verdict::kConfirmed) << r.why;
  const std::string html = render_html(r);
  // The browser tests look at this file: see web/.
  if (const char* out = std::getenv("SUPYO_REPORT_FIXTURE")) std::ofstream(out) << html;
  EXPECT_LT(html.size(), 1'000'000U);
  for (const char* part : {"End-to-end latency", "Consumer lag", "Freshness", "Epoch duration", "Seconds since the last commit", "Raw threshold", "Burrow&#39;s rules", "Latency spiked", "Objective broke", "Lag would have called",
                           "Lag did not change", "The decision, and why", "INCIDENT", "separate the store", "how to repeat it", "supyo lab run lag-blind-sink --seed 1", "G6", "Predicted before the run", "Versions", "Configuration"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(count(html, "<h1"), 1U);
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_EQ(count(html, "http://") + count(html, "https://") + count(html, " src=") + count(html, "@import"), 0U);
  EXPECT_EQ(html.find("NaN"), std::string::npos);
  EXPECT_EQ(html.find("\"inf"), std::string::npos);
  const std::string text = render_text(r);
  EXPECT_NE(text.find("CONFIRMED"), std::string::npos);
  EXPECT_NE(text.find("all 6 hold"), std::string::npos) << text;
}

TEST(Report, ATopicLabShowsWhatItDeclares) {
  scenario::LabResult r = paper_result();
  r.kind = "topic";
  r.plots = {{"lost", "Records <lost>", "records", "Where the handler sees a gap.", {{"lost_slow", "slow & late group", "fault", false}, {"lost_slow", "without the fault", "control", false}}}};
  r.tiles = {{"Lost", "lost_slow", "never handled"}, {"Nothing of the kind", "nobody_measured_this", ""}};
  r.measures.push_back({"lost_slow", 1234, "records", {}, {}, {}});
  for (scenario::Arm* a : {&r.fault, &r.control}) {
    std::vector<double> lost, burrow;
    for (std::size_t i = 0; i < a->t_s.size(); ++i) lost.push_back(a == &r.fault ? static_cast<double>(i) : 0), burrow.push_back(0);
    a->columns.push_back({"lost_slow", "records", lost});
    a->columns.push_back({"burrow_slow", "state", burrow});
  }
  const std::string page = render_html(r);
  EXPECT_NE(page.find("Records &lt;lost&gt;"), std::string::npos);
  EXPECT_NE(page.find("slow &amp; late group"), std::string::npos);
  EXPECT_NE(page.find("1,234"), std::string::npos);
  EXPECT_NE(page.find("not measured"), std::string::npos);
  EXPECT_NE(page.find("loses records"), std::string::npos);
  EXPECT_EQ(page.find("<lost>"), std::string::npos);
  EXPECT_EQ(page.find("Consumer lag"), std::string::npos);   // that is the pipeline labs' page
  EXPECT_NE(render_text(r).find("Lost"), std::string::npos);
  const auto again = scenario::result_from_json(scenario::to_json(r));
  ASSERT_TRUE(again);
  EXPECT_EQ(render_html(*again), page);
}

TEST(Report, AModelSaysThatItIsOneAndShowsWhoLed) {
  scenario::LabResult r = paper_result();
  r.kind = "replica";
  r.model = "A model <simulated>.";
  for (scenario::Arm* a : {&r.fault, &r.control}) {
    std::vector<double> leader(a->t_s.size(), 1), rate(a->t_s.size(), 100);
    if (a == &r.fault) leader[800] = 0, rate[801] = 0;
    a->columns.push_back({"leader", "broker", leader});
    a->columns.push_back({"ack_rate", "records/s", rate});
  }
  const std::string page = render_html(r);
  for (const char* part : {"A model &lt;simulated&gt;.", "no leader", "broker 1", "nothing"}) EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_NE(render_text(r).find("A model <simulated>."), std::string::npos);
  const auto again = scenario::result_from_json(scenario::to_json(r));
  ASSERT_TRUE(again);
  EXPECT_EQ(render_html(*again), page);
}

TEST(Report, AFrontierIsDrawnWithItsNumbers) {
  scenario::LabResult r = paper_result();
  r.kind = "frontier";
  r.fault.counts = {{"thr_rf3_all_l0", 2000}, {"thr_rf3_all_l0_low", 1900}, {"thr_rf3_all_l0_high", 2100}, {"p99_rf3_all_l0", 0.002}, {"thr_rf1_1_l100", 500}, {"p99_rf1_1_l100", std::nan("")}};
  const std::string page = render_html(r);
  for (const char* part : {"The frontier", "acks=all, 3 replicas", "2,000", "1,900 to 2,100", "2 ms"}) EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("nan"), std::string::npos);
  r.fault.counts.clear();
  EXPECT_NE(render_html(r).find("The frontier"), std::string::npos);
}

TEST(Report, APageOverManyLabsHasTheirVerdictsAndWhatLagSaid) {
  scenario::LabResult wrong = paper_result(), without = paper_result();
  wrong.verdict = scenario::Verdict::kRefuted;
  wrong.title = "<script>";
  without.fault.columns.clear();
  const std::string html = render_index({{"lag-blind-sink", paper_result()}, {"wrong", wrong}, {"without", without}});
  EXPECT_NE(html.find("2 of 3 gave the verdict"), std::string::npos);
  EXPECT_NE(html.find("REFUTED, announced was CONFIRMED"), std::string::npos);
  EXPECT_NE(html.find("href=\"wrong/report.html\""), std::string::npos);
  EXPECT_EQ(count(html, "<figure"), 2U) << "a lab that recorded nothing of its readers has no strips";
  EXPECT_NE(html.find("broken"), std::string::npos);
  // One row of times a lab whose readers are known: broken, alarm, broken and silent, kept and alarm.
  static const std::regex blind(R"re(<th scope="row"[^>]*><a href="lag-blind-sink/report.html">lag-blind-sink</a></th><td class="n">(\d+:\d\d)</td><td class="n">-</td><td class="n">\1</td><td class="n">-</td>)re");
  EXPECT_TRUE(std::regex_search(html, blind)) << html;
  EXPECT_EQ(count(html, "<td class=\"n\">"), 8U);
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_EQ(count(html, "http://") + count(html, "https://") + count(html, " src="), 0U);
}

TEST(Report, TextFromOutsideIsEscaped) {
  scenario::LabResult r = paper_result();
  const std::string evil = "<script>alert(1)</script>\"'&";
  r.title = r.hypothesis = r.why = r.repeat = r.formula = evil;
  r.lab = evil;
  r.phases[0].name = evil;
  r.objectives[0].title = r.objectives[0].sentence = evil;
  r.config[evil] = evil;
  r.versions[evil] = evil;
  r.guards[0].why = r.guards[0].name = evil;
  r.fault.timeline.emplace_back(1, evil);
  for (auto& j : r.fault.judgements) j.reasons.push_back(evil), j.state = evil, j.tickets.push_back({evil, evil, evil});
  const std::string html = render_html(r);
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_GT(count(html, "&lt;script&gt;"), 8U);
}

TEST(Report, AResultWithHolesStillRenders) {
  scenario::LabResult r = paper_result();
  r.verdict = scenario::Verdict::kInvalid;
  r.t_spike_s = r.t_breach_s = r.t_lag_alarm_s = std::numeric_limits<double>::infinity();
  for (auto& c : r.fault.columns) std::fill(c.values.begin(), c.values.end(), std::nan(""));
  r.control.columns.clear();
  r.fault.waterfall.clear();
  r.control.waterfall.clear();
  r.fault.judgements.clear();
  r.measures.clear();
  const std::string html = render_html(r);
  EXPECT_NE(html.find("INVALID"), std::string::npos);
  EXPECT_EQ(html.find("nan "), std::string::npos);
}

TEST(Svg, NumbersForPeople) {
  EXPECT_EQ(clock_text(725), "12:05");
  EXPECT_EQ(clock_text(3725), "1:02:05");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(value_text(0.02, "s"), "20 ms");
  EXPECT_EQ(value_text(5.85, "s"), "5.85 s");
  EXPECT_EQ(value_text(628, "s"), "10 min 28 s");
  EXPECT_EQ(value_text(INFINITY, "s"), "never");
  EXPECT_EQ(axis_ticks(6.4, 4), (std::vector<double>{0, 2, 4, 6}));
  EXPECT_EQ(axis_ticks(0, 4).front(), 0);
}

}  // namespace
}  // namespace supyo::report
