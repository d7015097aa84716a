#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/sql/corpus.h"

// Every tests/sql/*.test under every regime. Run one alone with --gtest_filter='*name.test*'.
namespace supyo::sqltest {
namespace {

const std::vector<Regime>& regimes() {
  static const std::vector<Regime> all = {
      {.name = "plain"},
      {.name = "batch1", .batch_rows = 1},
      {.name = "batch7_parallel3", .batch_rows = 7, .parallelism = 3},
      {.name = "parallel3", .parallelism = 3},
      {.name = "no_rules", .rules = false},
      {.name = "reprint", .reprint = true},
      {.name = "tiny_epochs", .batch_rows = 1, .parallelism = 3, .tiny_epochs = true},
      {.name = "kill", .batch_rows = 2, .kill = true, .seed = 7},
      {.name = "kill_parallel3", .batch_rows = 2, .parallelism = 3, .tiny_epochs = true, .kill = true, .seed = 11},
  };
  return all;
}

std::vector<std::string> files() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(SUPYO_SOURCE_DIR "/tests/sql"))
    if (entry.path().extension() == ".test") out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

std::string read(const std::string& name) {
  std::ifstream in(SUPYO_SOURCE_DIR "/tests/sql/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class CorpusFile : public ::testing::Test {
 public:
  explicit CorpusFile(std::string file) : file_(std::move(file)) {}
  void TestBody() override {
    const auto blocks = parse_corpus(read(file_));
    ASSERT_TRUE(blocks) << file_ << ": " << blocks.error().message;
    for (const Regime& r : regimes()) {
      const Status done = run_corpus(*blocks, r);
      EXPECT_TRUE(done) << file_ << " " << done.error().to_string();
    }
  }

 private:
  std::string file_;
};

// The runner itself must bite.
TEST(Corpus, NoticesWrongRowsAndMissingErrors) {
  const auto bad = [](std::string_view text) {
    const auto blocks = parse_corpus(text);
    return blocks && !run_corpus(*blocks, Regime{.name = "plain"});
  };
  EXPECT_FALSE(bad("query\nSELECT 1 + 1\n----\n2\n"));
  EXPECT_TRUE(bad("query\nSELECT 1 + 1\n----\n3\n"));
  EXPECT_TRUE(bad("query\nSELECT 1 + 1\n----\n2\n2\n"));
  EXPECT_TRUE(bad("query ordered\nSELECT * FROM (VALUES (1), (2)) ORDER BY 1\n----\n2\n1\n"));
  EXPECT_TRUE(bad("error\nSELECT 1 + 1\n----\n2001 1:1\n"));
  EXPECT_TRUE(bad("error\nSELECT x\n----\n2003 1:9\n"));
  EXPECT_FALSE(bad("error\nSELECT x\n----\n2003 1:8\n"));
  EXPECT_FALSE(parse_corpus("qeury\nSELECT 1\n"));
}

}  // namespace
}  // namespace supyo::sqltest

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (const std::string& file : supyo::sqltest::files())
    ::testing::RegisterTest("Sql", file.c_str(), nullptr, nullptr, __FILE__, __LINE__, [file]() -> ::testing::Test* { return new supyo::sqltest::CorpusFile(file); });
  return RUN_ALL_TESTS();
}
