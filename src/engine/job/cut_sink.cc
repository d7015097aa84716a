#include "engine/job/cut_sink.h"

#include <string>
#include <unordered_map>

#include "core/base/check.h"
#include "data/types/builder.h"
#include "data/types/row_codec.h"
#include "engine/job/sink_around.h"

namespace supyo::job {
namespace {

/// A row of the epoch: how often more it is there at the end than at the beginning. With kUpsert the last row of a key.
struct Change {
  std::string key, row;
  std::int64_t net = 0;
  bool was = false;      ///< kUpsert: the key had a row before the epoch
  bool is = false;       ///< kUpsert: and has one after it
  bool has_origin = false;
  Origin origin;
};

class CutWriter final : public WriterAround {
 public:
  CutWriter(std::unique_ptr<dataflow::SinkWriter> below, const Schema& schema, ChangelogMode mode, const std::optional<std::vector<std::size_t>>& key)
      : WriterAround(std::move(below)), schema_(schema), upsert_(mode == ChangelogMode::kUpsert), key_(key), row_codec_(schema.types()), key_codec_(key_types()), out_(schema) {}

  Status write(const BatchPtr& batch, Epoch) override {
    std::vector<ColumnPtr> key_columns;
    if (key_)
      for (const std::size_t c : *key_) key_columns.push_back(batch->columns[c]);
    for (std::size_t r = 0; r < batch->rows; ++r) {
      row_.clear();
      key_bytes_.clear();
      row_codec_.encode(batch->columns, r, row_);
      if (key_) key_codec_.encode(key_columns, r, key_bytes_);
      const auto [at, born] = index_.try_emplace(upsert_ ? key_bytes_ : row_, changes_.size());
      if (born) changes_.push_back({.key = key_bytes_, .row = row_, .origin = {}});
      Change& c = changes_[at->second];
      const RowKind kind = batch->kind(r);
      if (upsert_) {
        if (born) c.was = kind != RowKind::kInsert;
        c.row = row_;
        c.is = !is_retraction(kind);
      } else {
        c.net += is_retraction(kind) ? -1 : 1;
      }
      if (!batch->origins.empty()) {
        c.origin.merge(batch->origins[r]);
        c.has_origin = true;
      }
    }
    return ok();
  }
  Status begin_prepare(Epoch e) override {
    SUPYO_TRY(upsert_ ? give_upserts(e) : give_changes(e));
    SUPYO_TRY(hand_over(e));
    changes_.clear();
    index_.clear();
    return below_->begin_prepare(e);
  }

 private:
  std::vector<Type> key_types() const {
    std::vector<Type> types;
    if (key_)
      for (const std::size_t c : *key_) types.push_back(schema_[c].type);
    return types;
  }

  Status give_upserts(Epoch e) {
    for (const Change& c : changes_)
      if (c.was || c.is) SUPYO_TRY(give(c, !c.is ? RowKind::kDelete : c.was ? RowKind::kUpdateAfter : RowKind::kInsert, e));
    return ok();
  }

  /// What is taken back comes first; with a key beside what takes its place.
  Status give_changes(Epoch e) {
    std::unordered_map<std::string, std::vector<std::size_t>> added;   // by key, last first
    if (key_)
      for (std::size_t i = changes_.size(); i-- > 0;)
        if (changes_[i].net > 0) added[changes_[i].key].push_back(i);
    for (Change& c : changes_) {
      for (; c.net < 0; ++c.net) {
        const auto next = added.find(c.key);
        const bool replaced = key_ && next != added.end() && !next->second.empty();
        SUPYO_TRY(give(c, replaced ? RowKind::kUpdateBefore : RowKind::kDelete, e));
        if (!replaced) continue;
        Change& now = changes_[next->second.back()];
        SUPYO_TRY(give(now, RowKind::kUpdateAfter, e));
        if (--now.net == 0) next->second.pop_back();
      }
    }
    for (Change& c : changes_)
      for (; c.net > 0; --c.net) SUPYO_TRY(give(c, RowKind::kInsert, e));
    return ok();
  }

  Status give(const Change& c, RowKind kind, Epoch e) {
    std::vector<ColumnBuilder*> columns;
    for (std::size_t i = 0; i < schema_.size(); ++i) columns.push_back(&out_.column(i));
    SUPYO_CHECK(row_codec_.decode(c.row, columns));
    if (c.has_origin) out_.end_row(kind, c.origin);
    else out_.end_row(kind);
    return out_.full() ? hand_over(e) : ok();
  }
  Status hand_over(Epoch e) {
    const BatchPtr batch = out_.finish();
    return batch ? below_->write(batch, e) : ok();
  }

  const Schema& schema_;
  const bool upsert_;
  const std::optional<std::vector<std::size_t>>& key_;
  RowCodec row_codec_, key_codec_;
  std::vector<Change> changes_;                              // of the epoch, in the order in which they came first
  std::unordered_map<std::string, std::size_t> index_;       // by row, with kUpsert by key
  std::string row_, key_bytes_;
  BatchBuilder out_;
};

class CutSink final : public SinkAround {
 public:
  CutSink(std::shared_ptr<dataflow::Sink> below, Schema schema, ChangelogMode mode, std::optional<std::vector<std::size_t>> key)
      : SinkAround(std::move(below)), schema_(std::move(schema)), mode_(mode), key_(std::move(key)) {}
  bool readable_as_written() const override { return false; }   // rows wait for their epoch's cut
 private:
  std::unique_ptr<dataflow::SinkWriter> around(std::unique_ptr<dataflow::SinkWriter> below, const dataflow::SinkOpen&) const override {
    return std::make_unique<CutWriter>(std::move(below), schema_, mode_, key_);
  }

  Schema schema_;
  ChangelogMode mode_;
  std::optional<std::vector<std::size_t>> key_;
};

}  // namespace

std::shared_ptr<dataflow::Sink> with_cut_consistency(std::shared_ptr<dataflow::Sink> sink, Schema schema, ChangelogMode mode, std::optional<std::vector<std::size_t>> key) {
  return std::make_shared<CutSink>(std::move(sink), std::move(schema), mode, std::move(key));
}

}  // namespace supyo::job
