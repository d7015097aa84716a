#pragma once
#include <memory>
#include <string>
#include <vector>

#include "connect/kafka/client.h"
#include "connect/stream/stream_options.h"
#include "data/types/builder.h"
#include "engine/dataflow/source.h"

namespace supyo::connect::kafka {

/// Where records come from.
struct Partition {
  std::uint32_t index = 0;        ///< SourceBatch::split
  const std::string& id;
  const std::string& topic;
  std::int32_t partition = 0;
};

/// Makes a batch out of the client's records, straight from their bytes. One thread.
class RecordDecoder {
 public:
  static Result<RecordDecoder> make(const StreamSourceConfig& config);

  /// At most Batch::kMaxRows records of one partition, in order. Those that do not decode, or have no value (unless that is a delete), become dead records.
  Status decode(const Partition& from, std::span<const rd_kafka_message_t* const> records, TimeUs now_us, dataflow::SourceOutput& out);

 private:
  struct Part {   // the record's value or key
    std::unique_ptr<formats::Decoder> decoder;
    BatchBuilder builder;
    std::vector<std::uint32_t> good;           // records that decoded
    std::vector<formats::BadRecord> bad;
    BatchPtr batch;
  };
  explicit RecordDecoder(const StreamSourceConfig& config) : config_(config) {}
  static Result<Part> make_part(const formats::FormatOptions& format, const Schema& schema, const std::vector<std::size_t>& columns);
  Status decode_part(Part& part, bool key, const Partition& from, std::span<const rd_kafka_message_t* const> records, dataflow::SourceOutput& out);
  Status decode_values(const Partition& from, TimeUs now_us, dataflow::SourceOutput& out);
  Status decode_deletes(const Partition& from, TimeUs now_us, dataflow::SourceOutput& out);
  Status add_metadata_and_emit(std::shared_ptr<Batch> batch, RowKind kind, const std::vector<std::uint32_t>& good, const Partition& from, TimeUs now_us, dataflow::SourceOutput& out);
  static Status dead(const Partition& from, const rd_kafka_message_t& m, std::string reason, TimeUs now_us, dataflow::SourceOutput& out);
  Status emit(BatchPtr batch, const std::vector<std::uint32_t>& good, const Partition& from, TimeUs now_us, dataflow::SourceOutput& out);
  void keep_common();
  ColumnPtr metadata_column(const MetadataColumn& m, const Partition& from, std::span<const rd_kafka_message_t* const> records) const;

  StreamSourceConfig config_;
  std::vector<Part> value_;    // one
  std::vector<Part> key_;      // one, or none when no column is read from the key
  std::vector<const rd_kafka_message_t*> run_, rows_;   // reused
  std::vector<formats::RecordView> views_;
};

}  // namespace supyo::connect::kafka
