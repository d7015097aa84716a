// Any bytes where a columnar block should be: the decoder must not read outside them, and what it hands out must be a batch of the rows asked for.
#include "core/base/check.h"
#include "data/formats/columnar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace supyo;
  if (size < 2) return 0;
  const std::size_t rows = data[0] + 1U;
  const std::string block(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto stored = formats::columns_of(block);
  if (!stored) return 0;
  // In version 1 the columns stand behind the head; in version 2 beside it: here the second half is each of them.
  const std::vector<std::string_view> columns(stored->size(), std::string_view(block).substr(block.size() / 2));
  formats::ColumnarDecoder decoder(*stored);
  std::vector<bool> wanted(stored->size());
  decoder.select(block, wanted);
  const auto read = decoder.decode(block, columns, rows);
  if (!read) return 0;
  SUPYO_CHECK_EQ((*read)->rows, rows);
  for (const ColumnPtr& c : (*read)->columns) {
    SUPYO_CHECK_EQ(c->length(), rows);
    std::size_t sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += c->type().is_variable() ? c->text(r).size() : 0;
    SUPYO_CHECK_LE(sum, std::size_t{256} << 20);
  }
  return 0;
}
