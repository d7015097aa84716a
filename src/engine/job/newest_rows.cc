#include "engine/job/newest_rows.h"

#include <algorithm>
#include <deque>
#include <list>
#include <unordered_map>

#include "data/types/nested.h"
#include "data/types/row_codec.h"
#include "data/types/value.h"
#include "engine/job/sink_around.h"

namespace supyo::job {
namespace {

std::optional<std::string> cell(const Column& column, std::size_t row, const Zone& zone) {
  if (column.is_null(row)) return std::nullopt;
  std::string text;
  if (column.type().is_nested()) nested::append_text(column.type(), nested::item_at(column, row), {.as_cast = true, .zone = zone}, text);
  else if (column.type().id == TypeId::kTimestampLtz) text = format_timestamp(zone.to_local(column.value<std::int64_t>(row)), column.type().precision);
  else append_text_of(column, row, text);
  if (text.size() > NewestRows::kCellBytes) {
    std::size_t at = NewestRows::kCellBytes;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;   // not inside a character
    text.replace(at, std::string::npos, "…");
  }
  return text;
}

}  // namespace

/// One table. Shard threads add under the mutex; who looks folds what became visible, under the other one.
struct NewestRows::Watched {
  struct Waiting {
    Epoch epoch;
    BatchPtr batch;
  };
  struct Keyed {
    std::string key;
    Row row;
  };

  Watched(std::string n, Schema s, std::optional<std::vector<std::size_t>> k, Zone z, std::size_t most)
      : name(std::move(n)), schema(std::move(s)), key(std::move(k)), zone(std::move(z)), rows_max(most), key_codec(key_types()) {}

  std::vector<Type> key_types() const {
    std::vector<Type> types;
    if (key)
      for (const std::size_t c : *key) types.push_back(schema[c].type);
    return types;
  }

  void add(const BatchPtr& batch, Epoch epoch) {
    const std::lock_guard lock(mutex);
    waiting.push_back({epoch, batch});
    waiting_rows += batch->rows;
    while (waiting_rows > kWaitingRows && waiting.size() > 1) {
      waiting_rows -= waiting.front().batch->rows;
      left_out += waiting.front().batch->rows;
      waiting.pop_front();
    }
  }
  /// A restart: what no durable epoch covers will be written again.
  void forget_after(Epoch last) {
    const std::lock_guard lock(mutex);
    std::erase_if(waiting, [&](const Waiting& w) { return w.epoch > last; });
    waiting_rows = 0;
    for (const Waiting& w : waiting) waiting_rows += w.batch->rows;
  }
  std::vector<BatchPtr> take_visible(Epoch visible) {
    std::vector<BatchPtr> batches;
    const std::lock_guard lock(mutex);
    std::deque<Waiting> later;
    for (Waiting& w : waiting) {
      if (w.epoch > visible) {
        later.push_back(std::move(w));
        continue;
      }
      waiting_rows -= w.batch->rows;
      batches.push_back(std::move(w.batch));
    }
    waiting = std::move(later);
    written += std::exchange(left_out, 0);
    return batches;
  }

  Row row_of(const Batch& batch, std::size_t r) const {
    Row row{.kind = batch.kind(r), .cells = {}};
    for (const ColumnPtr& c : batch.columns) row.cells.push_back(cell(*c, r, zone));
    return row;
  }
  void fold(const Batch& batch, std::size_t first) {
    std::vector<ColumnPtr> key_columns;
    if (key)
      for (const std::size_t c : *key) key_columns.push_back(batch.columns[c]);
    for (std::size_t r = first; r < batch.rows; ++r) {
      if (key) {
        std::string bytes;
        key_codec.encode(key_columns, r, bytes);
        const RowKind kind = batch.kind(r);
        if (const auto at = by_key.find(bytes); at != by_key.end()) {
          if (kind == RowKind::kUpdateBefore) continue;   // its +U follows
          rows.erase(at->second);
          by_key.erase(at);
        }
        if (is_retraction(kind)) continue;
        rows.push_front({bytes, row_of(batch, r)});
        by_key.emplace(std::move(bytes), rows.begin());
      } else {
        rows.push_front({{}, row_of(batch, r)});
      }
      if (rows.size() <= (key ? kKeys : rows_max)) continue;
      if (key) by_key.erase(rows.back().key);
      rows.pop_back();
    }
  }

  const std::string name;
  const Schema schema;
  const std::optional<std::vector<std::size_t>> key;
  const Zone zone;
  const std::size_t rows_max;

  std::mutex mutex;
  std::deque<Waiting> waiting;
  std::size_t waiting_rows = 0;
  std::uint64_t left_out = 0;              ///< since the last look

  // Of who looks (NewestRows::mutex_).
  const RowCodec key_codec;
  std::list<Keyed> rows;                   ///< newest first
  std::unordered_map<std::string, std::list<Keyed>::iterator> by_key;
  std::uint64_t written = 0, left_out_ever = 0;
};

namespace {

class WatchedWriter final : public WriterAround {
 public:
  WatchedWriter(std::unique_ptr<dataflow::SinkWriter> below, std::shared_ptr<NewestRows::Watched> table) : WriterAround(std::move(below)), table_(std::move(table)) {}
  Status write(const BatchPtr& batch, Epoch epoch) override {
    SUPYO_TRY(below_->write(batch, epoch));
    table_->add(batch, epoch);
    return ok();
  }

 private:
  std::shared_ptr<NewestRows::Watched> table_;
};

class WatchedSink final : public SinkAround {
 public:
  WatchedSink(std::shared_ptr<dataflow::Sink> below, std::shared_ptr<NewestRows::Watched> table) : SinkAround(std::move(below)), table_(std::move(table)) {}
  Result<std::unique_ptr<dataflow::SinkCommitter>> open_committer(const dataflow::SinkOpen& open) override {
    table_->forget_after(open.last_final);
    return below_->open_committer(open);
  }
 private:
  std::unique_ptr<dataflow::SinkWriter> around(std::unique_ptr<dataflow::SinkWriter> below, const dataflow::SinkOpen&) const override {
    return std::make_unique<WatchedWriter>(std::move(below), table_);
  }

  std::shared_ptr<NewestRows::Watched> table_;
};

}  // namespace

NewestRows::NewestRows(std::size_t rows_max) : rows_max_(rows_max) {}
NewestRows::~NewestRows() = default;

std::shared_ptr<dataflow::Sink> NewestRows::watch(std::shared_ptr<dataflow::Sink> sink, std::string table, Schema schema, std::optional<std::vector<std::size_t>> key, Zone zone) {
  if (key && key->empty()) key.reset();
  auto watched = std::make_shared<Watched>(std::move(table), std::move(schema), std::move(key), std::move(zone), rows_max_);
  const std::lock_guard lock(mutex_);
  tables_.push_back(watched);
  return std::make_shared<WatchedSink>(std::move(sink), std::move(watched));
}

std::vector<NewestRows::Table> NewestRows::look(Epoch visible) {
  const std::lock_guard lock(mutex_);
  std::vector<Table> out;
  for (const auto& t : tables_) {
    const std::uint64_t written_before = t->written;
    const std::vector<BatchPtr> batches = t->take_visible(visible);
    t->left_out_ever += t->written - written_before;
    std::size_t rows = 0;
    for (const BatchPtr& b : batches) rows += b->rows;
    t->written += rows;
    // Of rows that only follow each other, just those that will be shown are made text.
    std::size_t skip = !t->key && rows > rows_max_ ? rows - rows_max_ : 0;
    for (const BatchPtr& b : batches) {
      const std::size_t first = std::min(skip, b->rows);
      skip -= first;
      t->fold(*b, first);
    }
    Table& table = out.emplace_back(Table{.name = t->name, .schema = t->schema, .keyed = t->key.has_value(), .rows = {}, .written = t->written, .left_out = t->left_out_ever});
    for (const Watched::Keyed& k : t->rows) {
      if (table.rows.size() == rows_max_) break;
      table.rows.push_back(k.row);
    }
  }
  return out;
}

}  // namespace supyo::job
