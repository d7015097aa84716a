#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/stream/stream_options.h"
#include "data/types/builder.h"

namespace supyo::connect {

/// Makes batches of records whose key is read, too: of tables by key, where a record without value deletes its key. One thread.
class KeyedRecords {
 public:
  static Result<KeyedRecords> make(const StreamSourceConfig& config);

  struct Record {
    std::optional<std::string_view> key, value;
  };
  struct Rows {
    std::shared_ptr<Batch> batch;            ///< without the metadata's columns; null: no row
    std::vector<std::uint32_t> of;           ///< the record of each row, ascending
    std::vector<formats::BadRecord> bad;     ///< records that are none, by their number
  };
  /// Of records that all have a value, or all have none.
  Result<Rows> decode(std::span<const Record> records);

 private:
  struct Part {
    std::unique_ptr<formats::Decoder> decoder;
    BatchBuilder builder;
  };
  struct Decoded {
    BatchPtr batch;
    std::vector<std::uint32_t> good;
  };
  explicit KeyedRecords(const StreamSourceConfig& config) : config_(&config) {}
  static Result<Part> part(const formats::FormatOptions& format, const Schema& schema, const std::vector<std::size_t>& columns);
  Result<Decoded> decode_part(Part& part, std::span<const formats::RecordView> views, std::span<const std::uint32_t> numbers, std::vector<formats::BadRecord>& bad);
  static Decoded only(const Decoded& from, const std::vector<std::uint32_t>& good);

  const StreamSourceConfig* config_;
  std::vector<Part> value_, key_;   // one each; no key where no column is read from it
  std::vector<formats::RecordView> views_;
};

}  // namespace supyo::connect
