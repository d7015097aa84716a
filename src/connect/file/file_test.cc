#include "connect/file/file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/env/real/real_env.h"
#include "data/types/value.h"

namespace supyo::connect {
namespace {

class Output final : public dataflow::SourceOutput {
 public:
  Status emit(dataflow::SourceBatch b) override {
    for (std::size_t r = 0; r < b.batch->rows; ++r) {
      std::string text;
      for (const auto& c : b.batch->columns) append_text_of(*c, r, text), text += "|";
      rows.push_back(text);
    }
    return ok();
  }
  Status dead(dataflow::DeadRecord d) override {
    bad.push_back(d.position + " " + d.field + " " + d.reason);
    return ok();
  }
  void quiet(std::uint32_t) override { ++quiets; }
  std::vector<std::string> rows;
  std::vector<std::string> bad;
  int quiets = 0;
};

class FileConnector : public testing::Test {
 protected:
  FileConnector() : dir_((std::filesystem::temp_directory_path() / ("supyo-file-" + std::to_string(real_.env().random.next_u64()))).string()) {
    std::filesystem::create_directories(dir_);
  }
  ~FileConnector() override { std::filesystem::remove_all(dir_); }

  env::Env& env() { return real_.env(); }
  void put(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir_ + "/" + name).parent_path());
    ASSERT_TRUE(env().files.write_atomically(dir_ + "/" + name, text));
  }

  catalog::TableDefinition table(const std::string& path, catalog::Options more = {}) {
    catalog::TableDefinition t;
    t.path = {"c", "d", "t"};
    for (const auto& [name, type] : std::vector<std::pair<std::string, Type>>{{"a", Type::big_int()}, {"b", Type::string()}}) {
      catalog::ColumnDefinition c;
      c.name = name;
      c.type = type;
      t.columns.push_back(c);
    }
    t.options = {{"connector", "filesystem"}, {"path", path}, {"format", "csv"}};
    for (auto& [k, v] : more) t.options[k] = v;
    return t;
  }

  std::unique_ptr<dataflow::SourceReader> open(const catalog::TableDefinition& t, const std::string& position = {}) {
    auto source = make_file_source({t, {0, 1}, dir_}, env());
    EXPECT_TRUE(source) << source.error().to_string();
    auto reader = (*source)->open({{"t", position}}, env());
    EXPECT_TRUE(reader) << reader.error().to_string();
    return std::move(*reader);
  }

  static void drain(dataflow::SourceReader& reader, Output& out, std::size_t budget = 100) {
    while (true) {
      const auto p = reader.poll(budget, out);
      ASSERT_TRUE(p) << p.error().to_string();
      if (p->progress == dataflow::Progress::kDone) return;
    }
  }

  env::RealEnv real_;
  std::string dir_;
};

TEST_F(FileConnector, ADirectoryIsReadInNameOrderAndBadLinesAreReported) {
  put("in/2.csv", "3,c\nx,d\n4,e");
  put("in/1.csv", "a,b\n1,a\n2,b\n");
  put("in/.hidden", "9,z\n");
  const auto reader = open(table("in", {{"csv.header", "true"}}));
  Output out;
  drain(*reader, out);
  EXPECT_EQ(out.rows, (std::vector<std::string>{"1|a|", "2|b|", "4|e|"}));  // each file's first line is a header
  EXPECT_EQ(out.bad, (std::vector<std::string>{"2.csv:4 a not an integer"}));
}

TEST_F(FileConnector, ResumesAtEveryPosition) {
  put("in/1.csv", "1,a\n2,b\n3,\"c\nc\"\n");
  put("in/2.csv", "4,d\n5,e\n");
  for (std::size_t cut = 0; cut <= 5; ++cut) {
    Output out;
    std::string position;
    {
      const auto reader = open(table("in"));
      while (out.rows.size() < cut) ASSERT_TRUE(reader->poll(1, out));
      position = reader->positions().at(0).position;
    }
    const auto reader = open(table("in"), position);
    drain(*reader, out, 2);
    EXPECT_EQ(out.rows, (std::vector<std::string>{"1|a|", "2|b|", "3|c\nc|", "4|d|", "5|e|"})) << cut;
  }
}

TEST_F(FileConnector, RecordsLongerThanABlockAndAcrossBlocks) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::to_string(i) + "," + std::string(static_cast<std::size_t>(i) * 101, 'x') + "\n";
  text += "300," + std::string(3 << 20, 'y') + "\n";
  put("big.csv", text);
  const auto reader = open(table("big.csv"));
  Output out;
  drain(*reader, out, 7);
  ASSERT_EQ(out.rows.size(), 301U);
  EXPECT_EQ(out.rows[299].size(), 4 + 299U * 101 + 1);
  EXPECT_EQ(out.rows[300].size(), 4 + (3U << 20) + 1);
}

TEST_F(FileConnector, MonitorsForNewFiles) {
  put("in/1.csv", "1,a\n");
  const auto reader = open(table("in", {{"source.monitor-interval", "1 ms"}}));
  Output out;
  while (out.quiets == 0) ASSERT_TRUE(reader->poll(10, out));
  put("in/2.csv", "2,b\n");
  while (out.rows.size() < 2) ASSERT_TRUE(reader->poll(10, out));
  EXPECT_EQ(out.rows.back(), "2|b|");
}

TEST_F(FileConnector, ErrorsSayWhatToDo) {
  EXPECT_EQ(make_file_source({table("absent"), {0}, dir_}, env()).error().code, ErrorCode::kFileNotFound);
  put("f", "");
  EXPECT_EQ(make_file_sink({table("f"), Schema(), ChangelogMode::kAppend, dir_}, env()).error().code, ErrorCode::kBadOptionValue);
}

class FileSinkTest : public FileConnector {
 protected:
  Schema schema_{{{"a", Type::big_int()}, {"b", Type::string()}}};
  std::shared_ptr<dataflow::Sink> sink_;
  std::unique_ptr<dataflow::SinkCommitter> committer_;
  std::unique_ptr<dataflow::SinkWriter> writer_;
  FaultPoints faults_;

  void start(Epoch last, catalog::Options more = {}) {
    auto sink = make_file_sink({table("out", std::move(more)), schema_, ChangelogMode::kAppend, dir_}, env());
    ASSERT_TRUE(sink) << sink.error().to_string();
    sink_ = *sink;
    const dataflow::SinkOpen open{.env = env(), .faults = faults_, .job = {"0123456789abcdef", "c.d.t"}, .shards = 1, .last_final = last};
    committer_ = std::move(*sink_->open_committer(open));
    writer_ = std::move(*sink_->open_writer(open, 0));
  }
  void write(std::int64_t a, std::int64_t epoch) {
    BatchBuilder b(schema_);
    b.column(0).append(a);
    b.column(1).append_text("v");
    b.end_row();
    ASSERT_TRUE(writer_->write(b.finish(), Epoch(epoch)));
  }
  std::string prepare(std::int64_t epoch) {
    EXPECT_TRUE(writer_->begin_prepare(Epoch(epoch)));
    return writer_->poll_prepare(Epoch(epoch))->handle;
  }
  std::string visible() {
    std::string all;
    for (const auto& name : *env().files.list(dir_ + "/out"))
      if (name[0] != '.') all += *env().files.read_all(dir_ + "/out/" + name);
    return all;
  }
};

TEST_F(FileSinkTest, RowsAppearWithTheEpochThatRolledTheirFile) {
  start(Epoch(0));
  write(1, 1);
  const auto h1 = prepare(1);
  ASSERT_TRUE(committer_->poll_commit(Epoch(1), {h1}));
  EXPECT_EQ(visible(), "");
  write(2, 2);
  ASSERT_TRUE(writer_->closing());
  const auto h2 = prepare(2);
  EXPECT_EQ(visible(), "");
  ASSERT_TRUE(committer_->poll_commit(Epoch(2), {h2}));
  EXPECT_EQ(visible(), "1,v\n2,v\n");
  ASSERT_TRUE(committer_->poll_commit(Epoch(2), {h2}));
  EXPECT_EQ(visible(), "1,v\n2,v\n");
}

TEST_F(FileSinkTest, AfterACrashTheOpenFileIsCutAtTheLastFinalEpoch) {
  start(Epoch(0));
  write(1, 1);
  const auto h1 = prepare(1);
  write(2, 2);
  prepare(2);  // never final
  start(Epoch(1));
  ASSERT_TRUE(committer_->poll_commit(Epoch(1), {h1}));
  ASSERT_TRUE(committer_->abandon_after(Epoch(1)));
  EXPECT_EQ(visible(), "1,v\n");
  write(2, 2);
  ASSERT_TRUE(writer_->closing());
  ASSERT_TRUE(committer_->poll_commit(Epoch(2), {prepare(2)}));
  EXPECT_EQ(visible(), "1,v\n2,v\n");
}

TEST_F(FileSinkTest, AbandonRemovesWhatNoEpochWanted) {
  start(Epoch(0));
  write(1, 1);
  prepare(1);
  start(Epoch(0));
  ASSERT_TRUE(committer_->abandon_after(Epoch(0)));
  EXPECT_TRUE(env().files.list(dir_ + "/out")->empty());
}

}  // namespace
}  // namespace supyo::connect
