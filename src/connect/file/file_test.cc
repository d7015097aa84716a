#include "connect/file/file.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>

#include "core/base/bytes.h"
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

TEST_F(FileConnector, FoldersWhoseNamesBeginAlikeAreAllRead) {
  for (const char* folder : {"a", "a-b", "a0", "a b", "a-"}) put(std::string("in/") + folder + "/1.csv", std::string("1,") + folder + "\n");
  const auto reader = open(table("in"));
  Output out;
  drain(*reader, out);
  EXPECT_EQ(out.rows, (std::vector<std::string>{"1|a b|", "1|a-|", "1|a-b|", "1|a|", "1|a0|"}));
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

TEST_F(FileConnector, AFileThatComesLaterIsReadWhateverItsName) {
  put("in/part-9.csv", "9,a\n");
  std::string position;
  Output out;
  const auto all_of = [&](std::size_t rows) {
    const auto reader = open(table("in", {{"source.monitor-interval", "1 ms"}}), position);
    while (out.rows.size() < rows || out.quiets == 0) ASSERT_TRUE(reader->poll(10, out));
    position = reader->positions().at(0).position;
    out.quiets = 0;
  };
  all_of(1);
  put("in/part-10.csv", "10,b\n");   // before part-9 by its bytes
  all_of(2);
  put("in/a.csv", "0,c\n");          // before all of them
  all_of(3);
  all_of(3);
  EXPECT_EQ(out.rows, (std::vector<std::string>{"9|a|", "10|b|", "0|c|"}));
}

TEST_F(FileConnector, NumbersInNamesAreNumbers) {
  for (const char* n : {"1", "14", "21", "7", "007"}) put(std::string("in/part-") + n + ".csv", std::string(n) + ",a\n");
  const auto reader = open(table("in"));
  Output out;
  drain(*reader, out, 10);
  EXPECT_EQ(out.rows, (std::vector<std::string>{"7|a|", "1|a|", "7|a|", "14|a|", "21|a|"}));
}

std::string gzipped(std::string_view text) {
  z_stream z = {};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string zstandard(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

TEST_F(FileConnector, CompressedFilesAreReadAndResumed) {
  std::string lines;
  for (int i = 100; i < 20'000; ++i) lines += std::to_string(i) + ",x\n";
  put("in/1.csv.gz", gzipped("1,a\n2,b") + gzipped("b\n3,c\n"));   // two members, as cat makes them
  put("in/2.csv.zst", zstandard("4,d\n") + zstandard(lines));
  put("in/3.csv", "5,e\n");
  std::vector<std::string> all;
  {
    Output out;
    const auto reader = open(table("in"));
    drain(*reader, out, 1000);
    all = out.rows;
  }
  ASSERT_EQ(all.size(), 3U + 1 + 19'900 + 1);
  EXPECT_EQ(all[1], "2|bb|");
  EXPECT_EQ(all.back(), "5|e|");
  for (const std::size_t cut : {0U, 1U, 2U, 3U, 4U, 5U, 10'000U, 19'904U}) {
    Output out;
    std::string position;
    {
      const auto reader = open(table("in"));
      while (out.rows.size() < cut) ASSERT_TRUE(reader->poll(std::min<std::size_t>(cut - out.rows.size(), 1000), out));
      position = reader->positions().at(0).position;
    }
    const auto reader = open(table("in"), position);
    drain(*reader, out, 1000);
    EXPECT_EQ(out.rows, all) << cut;
  }
}

TEST_F(FileConnector, WhatCannotBeUnpackedFailsTheJob) {
  const auto error_of = [&](const std::string& name, const std::string& bytes) {
    put(name, bytes);
    const auto reader = open(table(name));
    Output out;
    while (true) {
      const auto polled = reader->poll(10, out);
      if (!polled) return polled.error();
      if (polled->progress == dataflow::Progress::kDone) return Error{};
    }
  };
  const std::string whole = gzipped(std::string(1000, 'x') + "\n"), frame = zstandard(std::string(1000, 'x') + "\n");
  EXPECT_EQ(error_of("half.csv.gz", whole.substr(0, whole.size() / 2)).code, ErrorCode::kDamaged);
  EXPECT_EQ(error_of("half.csv.zst", frame.substr(0, frame.size() / 2)).code, ErrorCode::kDamaged);
  EXPECT_EQ(error_of("plain.csv.gz", "1,a\n").code, ErrorCode::kDamaged);
  EXPECT_EQ(error_of("plain.csv.zst", "1,a\n").code, ErrorCode::kDamaged);
  EXPECT_EQ(error_of("x.csv.bz2", "BZh9").code, ErrorCode::kUnsupported);
}

TEST_F(FileConnector, PositionsOfTheFormerFormatGoOnInTheOrderOfPaths) {
  put("in/part-10.csv", "10,a\n");
  put("in/part-9.csv", "9,b\n11,c\n");
  std::string position;
  ByteWriter w(position);
  w.text(dir_ + "/in/part-9.csv");   // part-10 was read before it
  w.u64(4);
  const auto reader = open(table("in"), position);
  Output out;
  drain(*reader, out, 10);
  EXPECT_EQ(out.rows, (std::vector<std::string>{"11|c|"}));
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

/// A table of columns a and b, whose folders are b.
class PartitionedFileTest : public FileSinkTest {
 protected:
  void start_partitioned(Epoch last, catalog::Options more = {}) {
    catalog::TableDefinition t = table("out", std::move(more));
    t.partition_keys = {"b"};
    auto sink = make_file_sink({t, schema_, ChangelogMode::kAppend, dir_}, env());
    ASSERT_TRUE(sink) << sink.error().to_string();
    sink_ = *sink;
    const dataflow::SinkOpen open{.env = env(), .faults = faults_, .job = {"0123456789abcdef", "c.d.t"}, .shards = 1, .last_final = last};
    committer_ = std::move(*sink_->open_committer(open));
    writer_ = std::move(*sink_->open_writer(open, 0));
  }
  void put_row(std::int64_t a, std::optional<std::string> b, std::int64_t epoch) {
    BatchBuilder batch(schema_);
    batch.column(0).append(a);
    if (b) batch.column(1).append_text(*b);
    else batch.column(1).append_null();
    batch.end_row();
    ASSERT_TRUE(writer_->write(batch.finish(), Epoch(epoch)));
  }
  void commit(std::int64_t epoch, TimeUs watermark) {
    writer_->watermark(watermark);
    ASSERT_TRUE(committer_->poll_commit(Epoch(epoch), {prepare(epoch)}));
  }
  /// "folder: rows, rows" of what readers see, with + behind a folder that has its success file.
  std::vector<std::string> partitions() {
    std::vector<std::string> out;
    for (const auto& folder : *env().files.list(dir_ + "/out")) {
      std::string rows, done;
      for (const auto& name : *env().files.list(dir_ + "/out/" + folder)) {
        if (name[0] == '.') continue;
        if (name == "_SUCCESS") done = "+";
        rows += *env().files.read_all(dir_ + "/out/" + folder + "/" + name);
      }
      std::ranges::replace(rows, '\n', ' ');
      out.push_back(folder + ": " + rows + done);
    }
    std::ranges::sort(out);
    return out;
  }
  static TimeUs at(const char* time) { return *parse_timestamp(time); }
  const catalog::Options by_time_{{"sink.partition-commit.policy.kind", "success-file"}, {"sink.partition-commit.trigger", "partition-time"}, {"sink.partition-commit.delay", "1 min"},
                                  {"partition.time-extractor.timestamp-pattern", "2026-01-01 $b:00"}};
};

TEST_F(PartitionedFileTest, APartitionIsCompleteWhenTheWatermarkPassedItsTimeAndTheDelay) {
  start_partitioned(Epoch(0), by_time_);
  put_row(1, "10:00", 1);
  put_row(2, "10:01", 1);
  commit(1, at("2026-01-01 10:01:00"));
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: ", "b=10%3A01: "}));   // at its end is not past it
  put_row(3, "10:00", 2);
  commit(2, at("2026-01-01 10:01:00") + 1);
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 3 +", "b=10%3A01: "}));
  put_row(4, "10:00", 3);   // late: seen, and told again
  ASSERT_TRUE(env().files.remove(dir_ + "/out/b=10%3A00/_SUCCESS"));
  commit(3, at("2026-01-01 10:01:30"));
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 3 4 +", "b=10%3A01: "}));
  put_row(5, "noon", 4);   // no time: complete with the input
  ASSERT_TRUE(writer_->closing());
  commit(4, at("2026-01-01 23:00:00"));
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 3 4 +", "b=10%3A01: 2 +", "b=noon: 5 "}));
  commit(5, kTimeMax);
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 3 4 +", "b=10%3A01: 2 +", "b=noon: 5 +"}));
}

TEST_F(PartitionedFileTest, AfterACrashNoRowIsTwiceAndNoPartitionForgotten) {
  start_partitioned(Epoch(0), by_time_);
  put_row(1, "10:00", 1);
  put_row(2, "10:01", 1);
  writer_->watermark(at("2026-01-01 10:00:00"));
  const auto h1 = prepare(1);
  put_row(3, "10:00", 2);
  prepare(2);  // never final
  start_partitioned(Epoch(1), by_time_);
  ASSERT_TRUE(committer_->poll_commit(Epoch(1), {h1}));
  ASSERT_TRUE(committer_->abandon_after(Epoch(1)));
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 ", "b=10%3A01: 2 "}));
  start_partitioned(Epoch(1), by_time_);   // and once more, with nothing to hand over
  commit(2, at("2026-01-01 10:01:00") + 1);
  EXPECT_EQ(partitions(), (std::vector<std::string>{"b=10%3A00: 1 +", "b=10%3A01: 2 "}));
}

TEST_F(PartitionedFileTest, WhatIsWrittenIsReadBack) {
  start_partitioned(Epoch(0));
  put_row(1, "a/b=c%d e", 1);
  put_row(2, std::nullopt, 1);
  put_row(3, "\xEC\x88\x98\xED\x91\x9C", 1);
  for (int i = 0; i < 600; ++i) put_row(i + 10, "p" + std::to_string(i), 1);   // more than may be open at once
  ASSERT_TRUE(writer_->closing());
  commit(1, kTimeMin);
  catalog::TableDefinition t = table("out");
  t.partition_keys = {"b"};
  for (const std::vector<std::size_t>& columns : {std::vector<std::size_t>{0, 1}, {1}, {1, 0}}) {
    auto source = make_file_source({t, columns, dir_}, env());
    ASSERT_TRUE(source) << source.error().to_string();
    auto reader = (*source)->open({{"t", ""}}, env());
    ASSERT_TRUE(reader);
    Output out;
    drain(**reader, out);
    EXPECT_EQ(out.rows.size(), 603U);
    const auto has = [&](const std::string& row) { return std::ranges::find(out.rows, row) != out.rows.end(); };
    const std::size_t n = columns.size();
    EXPECT_TRUE(has(n == 1 ? "a/b=c%d e|" : columns[0] == 0 ? "1|a/b=c%d e|" : "a/b=c%d e|1|"));
    EXPECT_TRUE(has(n == 1 ? "NULL|" : columns[0] == 0 ? "2|NULL|" : "NULL|2|"));
    EXPECT_TRUE(has(n == 1 ? "p599|" : columns[0] == 0 ? "609|p599|" : "p599|609|"));
  }
}

TEST_F(PartitionedFileTest, ErrorsSayWhatToDo) {
  catalog::TableDefinition t = table("in", {{"sink.partition-commit.policy.kind", "success-file"}});
  EXPECT_EQ(make_file_sink({t, schema_, ChangelogMode::kAppend, dir_}, env()).error().code, ErrorCode::kBadOptionValue);   // and no PARTITIONED BY
  t.partition_keys = {"b"};
  t.options["sink.partition-commit.watermark-time-zone"] = "Europe/Bern";
  EXPECT_EQ(make_file_sink({t, schema_, ChangelogMode::kAppend, dir_}, env()).error().code, ErrorCode::kBadOptionValue);
  t.partition_keys = {"a", "b"};
  t.options.erase("sink.partition-commit.watermark-time-zone");
  EXPECT_EQ(make_file_sink({t, schema_, ChangelogMode::kAppend, dir_}, env()).error().code, ErrorCode::kUnsupported);      // nothing is left for the files
  t.partition_keys = {"a"};
  put("in/a=1/1.csv", "x\n");
  put("in/a=x/1.csv", "x\n");
  auto source = make_file_source({t, {0, 1}, dir_}, env());
  ASSERT_TRUE(source);
  auto reader = (*source)->open({{"t", ""}}, env());
  ASSERT_TRUE(reader);
  Output out;
  Result<dataflow::Poll> p = dataflow::Poll::more();
  while (p && p->progress != dataflow::Progress::kDone) p = (*reader)->poll(10, out);
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, ErrorCode::kMalformedRecord);
  EXPECT_EQ(out.rows, std::vector<std::string>{"1|x|"});
}

}  // namespace
}  // namespace supyo::connect
