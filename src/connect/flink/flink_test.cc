#include <gtest/gtest.h>

#include <map>

#include "connect/flink/http_get.h"
#include "connect/flink/job_metrics.h"

namespace supyo::connect {
namespace {

TEST(HttpGet, Urls) {
  EXPECT_EQ(parse_http_url("http://127.0.0.1:8081")->address.port, 8081);
  EXPECT_EQ(parse_http_url("127.0.0.1:8081/flink/")->path, "/flink");
  EXPECT_EQ(parse_http_url("https://127.0.0.1:8081").error().code, ErrorCode::kBadOptionValue);
  EXPECT_EQ(parse_http_url("").error().code, ErrorCode::kBadOptionValue);
}

TEST(HttpGet, Bodies) {
  EXPECT_EQ(*http_body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "{}");
  EXPECT_EQ(*http_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), "abcde");
  EXPECT_EQ(*http_body("HTTP/1.0 200 OK\r\n\r\nall of it"), "all of it");
  EXPECT_EQ(*http_body("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"), "{}");
  const auto refused = http_body("HTTP/1.1 500 Internal Server Error\r\n\r\n{\"errors\":[\"java.X: a\\n\\tat b\\nCaused by: c: d\\n\\tat e\\nCaused by: f: no such table\\n\\tat g\"]}");
  EXPECT_TRUE(refused.error().message.ends_with("Error: f: no such table")) << refused.error().message;
  EXPECT_EQ(http_body("HTTP/1.1 404 Not Found\r\n\r\n{}").error().code, ErrorCode::kOutsideUnavailable);
  for (const char* bad : {"", "HTTP/1.1", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"})
    EXPECT_EQ(http_body(bad).error().code, ErrorCode::kMalformedRecord) << bad;
}

/// Flink's answers, as its REST API documents them.
class FlinkJobs : public testing::Test {
 protected:
  FlinkJobs() : collector_([this](const std::string& path) -> Result<std::string> {
    const auto at = answers_.find(path.substr(0, path.find('?')));
    // As Flink 2.1 does: one name that a vertex lacks, and nothing is told.
    if (at != answers_.end() && path.find("subtasks/metrics?get=") != std::string::npos) {
      std::string names = path.substr(path.find('=') + 1) + ",";
      for (std::size_t comma = names.find(','); comma != std::string::npos; names.erase(0, comma + 1), comma = names.find(','))
        if (at->second.find("\"" + names.substr(0, comma) + "\"") == std::string::npos) return std::string("[]");
    }
    if (at == answers_.end()) return fail(ErrorCode::kOutsideUnavailable, path);
    return at->second;
  }) {
    answers_["/jobs/overview"] = R"({"jobs":[{"jid":"a1","name":"orders","state":"RUNNING","start-time":1,"end-time":-1},{"jid":"b2","name":"done","state":"FINISHED","end-time":5},{"jid":"../../x","name":"bad","state":"RUNNING"}]})";
    answers_["/jobs/a1"] = R"({"vertices":[{"id":"v1","name":"Source: clicks","parallelism":2},{"id":"v2","name":"Window","parallelism":2},{"id":"v3","name":"Sink: out","parallelism":1}]})";
    answers_["/jobs/a1/vertices/v1/subtasks/metrics"] = metrics(50, 900, 50, 0, 1000, "1700000000000");
    answers_["/jobs/a1/vertices/v2/subtasks/metrics"] = metrics(300, 600, 100, 1000, 10, "1700000000000");
    answers_["/jobs/a1/vertices/v3/subtasks/metrics"] = metrics(990, 0, 10, 10, 0, "-9223372036854775808");
    answers_["/jobs/a1/checkpoints/config"] = R"({"mode":"exactly_once","interval":60000,"timeout":600000})";
    answers_["/jobs/a1/checkpoints"] = R"({"counts":{"restored":0,"total":4,"in_progress":0,"completed":2,"failed":2},"latest":{"completed":{"id":2,"status":"COMPLETED","latest_ack_timestamp":1699999970000,"end_to_end_duration":1500,"state_size":4096}},)"
                                      R"("history":[{"id":4,"status":"FAILED","trigger_timestamp":1699999990000},{"id":3,"status":"FAILED","trigger_timestamp":1699999980000},{"id":2,"status":"COMPLETED","trigger_timestamp":1699999960000},)"
                                      R"({"id":1,"status":"FAILED","trigger_timestamp":1699990000000}]})";
    restarts(3);
    // A source tells its rate by its operator only, and has no input watermark.
    std::string& source = answers_["/jobs/a1/vertices/v1/subtasks/metrics"];
    source.replace(source.find("numRecordsOutPerSecond"), 22, "Source__clicks.numRecordsOutPerSecond");
    source.replace(source.find("currentInputWatermark"), 21, "somethingElse");
  }
  static std::string metrics(int busy, int back, int idle, int in, int out, const std::string& watermark) {
    const auto one = [](const char* id, const std::string& v) { return std::string("{\"id\":\"") + id + "\",\"min\":" + v + ",\"max\":" + v + ",\"avg\":" + v + ",\"sum\":" + v + "}"; };
    return "[" + one("busyTimeMsPerSecond", std::to_string(busy)) + "," + one("backPressuredTimeMsPerSecond", std::to_string(back)) + "," + one("idleTimeMsPerSecond", std::to_string(idle)) + "," + one("numRecordsInPerSecond", std::to_string(in)) + "," +
           one("numRecordsOutPerSecond", std::to_string(out)) + "," + one("currentInputWatermark", watermark) + "," + one("currentOutputWatermark", watermark) + "]";
  }
  void restarts(int n) { answers_["/jobs/a1/metrics"] = "[{\"id\":\"numRestarts\",\"value\":\"" + std::to_string(n) + "\"}]"; }

  static constexpr TimeUs kNow = 1'700'000'000'000'000;
  std::map<std::string, std::string> answers_;
  FlinkCollector collector_;
};

TEST_F(FlinkJobs, CheckpointsBackpressureRestartsWatermarks) {
  auto jobs = collector_.look(kNow);
  ASSERT_TRUE(jobs) << jobs.error().to_string();
  ASSERT_EQ(jobs->size(), 1U) << "the finished one is over, and an id that is a path is none";
  const FlinkJob& j = (*jobs)[0];
  EXPECT_EQ(j.name, "orders");
  EXPECT_EQ(j.checkpoints_failed, 2) << "the third failed hours ago";
  EXPECT_EQ(j.checkpoints_completed, 1);
  EXPECT_DOUBLE_EQ(*j.checkpoint_interval_s, 60);
  EXPECT_DOUBLE_EQ(*j.last_checkpoint_s, 1.5);
  EXPECT_DOUBLE_EQ(*j.since_checkpoint_s, 30);
  EXPECT_EQ(j.state_bytes, 4096);
  EXPECT_FALSE(j.restarts.has_value() && *j.restarts != 0) << "the metric alone knows nothing of before";
  ASSERT_EQ(j.vertices.size(), 3U);
  EXPECT_TRUE(j.vertices[0].source && j.vertices[2].sink);
  EXPECT_DOUBLE_EQ(j.vertices[0].backpressured, 0.9);
  EXPECT_DOUBLE_EQ(j.vertices[0].records_out_per_s, 1000);
  EXPECT_DOUBLE_EQ(j.vertices[2].busy, 0.99);
  EXPECT_EQ(j.vertices[1].watermark_ms, 1'700'000'000'000);
  EXPECT_FALSE(j.vertices[2].watermark_ms) << "none yet";
  EXPECT_FALSE(j.vertices[1].watermark_stands_still);

  restarts(5);
  jobs = collector_.look(kNow + 90 * kSecond);
  EXPECT_EQ((*jobs)[0].restarts, 2);
  EXPECT_TRUE((*jobs)[0].vertices[1].watermark_stands_still);
  answers_["/jobs/a1/vertices/v2/subtasks/metrics"] = metrics(300, 600, 100, 1000, 10, "1700000001000");
  EXPECT_FALSE((*collector_.look(kNow + 100 * kSecond))[0].vertices[1].watermark_stands_still);
  answers_["/jobs/a1/vertices/v2/subtasks/metrics"] = metrics(0, 0, 1000, 0, 0, "1700000001000");
  EXPECT_FALSE((*collector_.look(kNow + 1000 * kSecond))[0].vertices[1].watermark_stands_still) << "a quiet source stands for nothing";
}

// As Flink 2.1 does: the metric is not there at the first question and up to ten seconds old later; the history of failures is there at once.
TEST_F(FlinkJobs, RestartsAreToldByTheHistoryOfFailuresOrNotAtAll) {
  answers_["/jobs/a1/metrics"] = "[]";
  EXPECT_FALSE((*collector_.look(kNow))[0].restarts) << "not told is not none";
  answers_["/jobs/a1/exceptions"] = R"({"root-exception":null,"exceptionHistory":{"entries":[{"exceptionName":"x","timestamp":1699999990000},{"exceptionName":"y","timestamp":1699999700000},{"exceptionName":"z","timestamp":1699990000000}],"truncated":false}})";
  EXPECT_EQ((*collector_.look(kNow))[0].restarts, 2) << "the third was hours ago";
  restarts(3);
  EXPECT_EQ((*collector_.look(kNow + kSecond))[0].restarts, 2);
  restarts(23);   // more than the history holds
  EXPECT_EQ((*collector_.look(kNow + 2 * kSecond))[0].restarts, 20);
  answers_.erase("/jobs/a1/exceptions");
  EXPECT_EQ((*collector_.look(kNow + 3 * kSecond))[0].restarts, 20);
  answers_["/jobs/a1/metrics"] = "[]";
  answers_.erase("/jobs/a1/metrics");
  EXPECT_FALSE((*collector_.look(kNow + 4 * kSecond))[0].restarts);
}

TEST_F(FlinkJobs, WhatWindowsDropAndWhatSourcesHaveNotFetched) {
  const auto with = [](std::string metrics, const std::string& id, const char* sum) { return metrics.replace(metrics.size() - 1, 1, R"(,{"id":")" + id + R"(","min":0,"max":0,"avg":0,"sum":)" + sum + "}]"); };
  answers_["/jobs/a1/vertices/v1/subtasks/metrics"] = with(metrics(300, 600, 100, 1000, 10, "1700000001000"), "Source__orders.pendingRecords", "12");
  answers_["/jobs/a1/vertices/v2/subtasks/metrics"] = with(metrics(300, 600, 100, 1000, 10, "1700000001000"), "WindowAggregate.numLateRecordsDropped", "321");
  const auto job = collector_.look_at("a1", kNow);
  ASSERT_TRUE(job) << job.error().to_string();
  EXPECT_EQ(job->vertices[0].pending, 12);
  EXPECT_FALSE(job->vertices[0].late_dropped) << "a source has no windows";
  EXPECT_EQ(job->vertices[1].late_dropped, 321);
  EXPECT_FALSE(collector_.look_at("a2", kNow)) << "there is no such job";
}

TEST_F(FlinkJobs, WhatIsNotFlink) {
  answers_.erase("/jobs/a1/checkpoints");   // checkpointing is off
  ASSERT_EQ(collector_.look(kNow)->size(), 1U);
  EXPECT_EQ((*collector_.look(kNow))[0].checkpoints_completed, 0);
  answers_.erase("/jobs/a1");               // it ended meanwhile
  EXPECT_TRUE(collector_.look(kNow)->empty());
  for (const char* bad : {"", "<html>", "[]", "{\"jobs\":7}", "{\"jobs\":[7,null,{\"jid\":5}]}"}) {
    answers_["/jobs/overview"] = bad;
    const auto jobs = collector_.look(kNow);
    EXPECT_TRUE(jobs ? jobs->empty() : jobs.error().code == ErrorCode::kMalformedRecord) << bad;
  }
}

}  // namespace
}  // namespace supyo::connect
