#include "engine/operators/match_recognize.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "engine/operators/eval_context.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/late_rows.h"
#include "engine/operators/match_run.h"
#include "engine/operators/order_bytes.h"

namespace supyo::operators {
namespace {

using state::Slot;
using Spec = MatchRecognizeSpec;
using Reference = Spec::Reference;
constexpr std::size_t kWaiting = 0, kPartitions = 1, kEnds = 2;
constexpr std::uint64_t kNoRow = kNoMatchRow;
using Run = MatchRun;
using Runs = MatchRuns;
using RowAt = MatchRow;
using Partition = MatchPartition;
using Reader = MatchReader;

/// A waiting row is [origin] then its RowCodec bytes. A partition: its timer, its rows from the first that is still of use (each [origin] and its kept columns), its open
/// runs and the matches that wait for one of them, both as they lie in their heaps, each with what has gone into its aggregates.
class MatchRecognize final : public dataflow::Operator {
 public:
  explicit MatchRecognize(std::shared_ptr<const Spec> spec)
      : spec_(std::move(spec)), codec_(spec_->input.types()), keys_(spec_->input, spec_->partition), kept_(kept_columns(*spec_)), kept_codec_(part_of(spec_->input, kept_).types()),
        late_(spec_->label), waiting_(spec_->input, Batch::kMaxRows), waiting_columns_(builder_columns(waiting_, 0, spec_->input.size())), history_(part_of(spec_->input, kept_)),
        history_columns_(builder_columns(history_, 0, kept_.size())), out_(output_schema(*spec_)), out_references_(builder_columns(out_, spec_->partition.size(), spec_->references.size())),
        result_(*spec_, spec_->references, folds_) {
    for (std::size_t v = 0; v < spec_->variables.size(); ++v) {
      alone_.push_back(of_row_alone(spec_->variables[v], v));
      readers_.emplace_back(*spec_, spec_->variables[v].references, folds_);
      std::vector<ColumnBuilder>& builders = asked_columns_.emplace_back();
      for (const Reference& r : spec_->variables[v].references) builders.emplace_back(r.type);
    }
    asked_.resize(spec_->variables.size());
    holds_.resize(spec_->variables.size());
  }

  std::string_view name() const override { return "Match"; }
  state::StateSpec state() const override {
    using Kind = state::TableSpec::Kind;
    state::StateSpec out{.tables = {{.kind = Kind::kOrdered, .name = "waiting"}, {.kind = Kind::kKeyed, .name = "partitions"}}};
    if (spec_->within_us) out.tables.push_back({.kind = Kind::kOrdered, .name = "ends"});
    return out;
  }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector&) override {
    state::OrderedTable& table = ctx.state().ordered(kWaiting);
    const TimeUs combined = ctx.watermark_us();
    const Column& time = *batch->columns[spec_->time_column];
    keys_.start(*batch);
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      if (batch->kind(row) != RowKind::kInsert) [[unlikely]]
        return fail(ErrorCode::kUnsupported, "MATCH_RECOGNIZE over an updating input is not supported", "apply it to a table of inserts");
      const auto t = late_.time_to_come(*batch, time, row, combined);
      if (!t) continue;
      bytes_.clear();
      if (spec_->origins) append_origin(batch->origins.empty() ? Origin{} : batch->origins[row]);
      codec_.encode(batch->columns, row, bytes_);
      table.insert(*t, keys_.hash(row), bytes_);
    }
    return late_.empty() ? ok() : late_.flush(*batch, ctx);
  }

  Status on_watermark(dataflow::Watermark w, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    context_ = eval_context(ctx, spec_->zone);
    Status status = ok();
    TimeUs last = kTimeMin;
    ctx.state().ordered(kWaiting).pop_until(w.us, [&](TimeUs time, std::uint64_t, std::string_view blob) {
      if (!status) return;
      if (waiting_.full() && time != last) status = release(ctx.state(), out);
      last = time;
      if (status) status = decode_waiting(blob);
    });
    SUPYO_TRY(std::move(status));
    if (waiting_.rows() > 0) SUPYO_TRY(release(ctx.state(), out));
    return spec_->within_us ? end_runs(w.us, ctx.state(), out) : ok();
  }

 private:
  // ---- rows that are due

  void append_origin(const Origin& o) { bytes_.append(reinterpret_cast<const char*>(&o), sizeof o); }
  static Origin take_origin(std::string_view& bytes) {
    Origin o;
    if (bytes.size() >= sizeof o) std::memcpy(&o, bytes.data(), sizeof o);
    bytes.remove_prefix(std::min(bytes.size(), sizeof o));
    return o;
  }

  Status decode_waiting(std::string_view blob) {
    Origin origin;
    if (spec_->origins) origin = take_origin(blob);
    if (!codec_.decode(blob, waiting_columns_)) return damaged("a waiting row");
    if (spec_->origins) waiting_.end_row(RowKind::kInsert, origin); else waiting_.end_row();
    return ok();
  }

  /// Looks for matches that the gathered rows, which are in order, complete.
  Status release(state::OperatorState& state, dataflow::Collector& out) {
    const BatchPtr part = in_order(waiting_.finish());
    state::KeyedTable& table = state.keyed(kPartitions);
    keys_.start_with_all(*part);
    slots_.resize(part->rows);
    inserted_.resize(part->rows);
    table.find_or_insert(keys_.hashes(), keys_.views(), {}, slots_, inserted_);
    for (std::size_t row = 0; row < part->rows; ++row) SUPYO_TRY(load(slots_[row], table));
    batches_ = {finish_history(), part};
    SUPYO_TRY(ask_rows(*part));
    steps_.assign(partitions_.size(), 0);
    std::vector<std::vector<std::uint32_t>>& rounds = rounds_;
    for (auto& r : rounds) r.clear();
    for (std::uint32_t row = 0; row < part->rows; ++row) {
      const std::uint32_t step = steps_[place_of_[slots_[row]] - 1]++;
      if (step >= rounds.size()) rounds.emplace_back();
      rounds[step].push_back(row);
    }
    for (const auto& rows : rounds)
      if (!rows.empty()) SUPYO_TRY(round(rows, out));
    SUPYO_TRY(flush(out));
    save(state);
    return ok();
  }

  /// Rows of one time by the further keys of the order.
  BatchPtr in_order(BatchPtr part) const {
    if (spec_->order.empty()) return part;
    std::vector<std::string> bytes(part->rows);
    std::vector<std::uint32_t> places(part->rows);
    for (std::uint32_t row = 0; row < part->rows; ++row) {
      places[row] = row;
      append_big_endian(static_cast<std::uint64_t>(part->columns[spec_->time_column]->integer(row)) ^ (std::uint64_t{1} << 63), bytes[row]);
      for (const SortSpec::Key& k : spec_->order) append_ordered(*part->columns[k.column], row, k, bytes[row]);
    }
    std::ranges::stable_sort(places, {}, [&](std::uint32_t row) -> const std::string& { return bytes[row]; });
    return taken(*part, places);
  }
  static BatchPtr taken(const Batch& batch, const std::vector<std::uint32_t>& places) {
    auto out = std::make_shared<Batch>();
    out->rows = batch.rows;
    for (const ColumnPtr& c : batch.columns) out->columns.push_back(take(*c, places));
    if (!batch.origins.empty())
      for (const std::uint32_t p : places) out->origins.push_back(batch.origins[p]);
    return out;
  }

  /// Which rows fulfil the conditions that read nothing but the row.
  Status ask_rows(const Batch& part) {
    for (std::size_t v = 0; v < alone_.size(); ++v) {
      if (!alone_[v]) continue;
      holds_[v].assign(part.rows, 0);
      selection_.clear();
      SUPYO_TRY(expr::select_true(*alone_[v], part, context_, selection_));
      for (const std::uint32_t row : selection_) holds_[v][row] = 1;
    }
    return ok();
  }

  // ---- one row of each partition

  Status round(const std::vector<std::uint32_t>& rows, dataflow::Collector& out) {
    std::size_t runs = 0;
    for (const std::uint32_t row : rows) {
      Partition& p = partition_of(row);
      p.rows.push_back({1, row});
      now_ = row;
      if (spec_->within_us) SUPYO_TRY(end_until(p, time_of(p, p.last()), out));
      runs += p.open.all().size();
    }
    verdicts_.assign(runs * spec_->variables.size(), 0);
    SUPYO_TRY(ask(rows));
    std::size_t number = 0;
    for (const std::uint32_t row : rows) {
      Partition& p = partition_of(row);
      now_ = row;
      potential_.clear();
      next_.clear();
      for (const Run& run : p.open.all()) SUPYO_TRY(go_on(p, run, verdicts_.data() + number++ * spec_->variables.size()));
      std::swap(p.open, next_);
      for (const Run& run : potential_.all()) p.found.push(run);
      SUPYO_TRY(settle(p, out));
    }
    return ok();
  }

  Partition& partition_of(std::uint32_t row) { return partitions_[place_of_[slots_[row]] - 1]; }
  TimeUs time_of(const Partition& p, std::uint64_t number) const {
    const RowAt at = p.row(number);
    return batches_[at.batch]->columns[spec_->time_column]->integer(at.row);
  }

  bool can_take(std::size_t v, std::uint32_t count) const { return !spec_->variables[v].most || count < *spec_->variables[v].most; }

  /// Calls `visit` with each variable that the run's next row may be asked for.
  template <class Visit>
  void each_next(const Run& run, const Visit& visit) const {
    std::size_t v = run.variable();
    if (can_take(v, run.count()) || spec_->variables[v].greedy) visit(v);
    if (run.count() < spec_->variables[v].least) return;
    for (++v; v < spec_->variables.size(); ++v) {
      visit(v);
      if (spec_->variables[v].least > 0) return;
    }
  }

  /// Fills verdicts_: whether the row may be what a run asks for. Conditions that read the run are asked for all runs together.
  Status ask(const std::vector<std::uint32_t>& rows) {
    const std::size_t variables = spec_->variables.size();
    for (auto& a : asked_) a.clear();
    std::size_t number = 0;
    for (const std::uint32_t row : rows) {
      const Partition& p = partition_of(row);
      for (const Run& run : p.open.all()) {
        Status status = ok();
        each_next(run, [&](std::size_t v) {
          if (!spec_->variables[v].condition) verdicts_[number * variables + v] = 1;
          else if (alone_[v]) verdicts_[number * variables + v] = holds_[v][row];
          else if (status) status = ask_later(p, run, v, number * variables + v);
        });
        SUPYO_TRY(std::move(status));
        ++number;
      }
    }
    for (std::size_t v = 0; v < variables; ++v) {
      if (asked_[v].empty()) continue;
      Batch batch;
      batch.rows = static_cast<std::uint32_t>(asked_[v].size());
      for (ColumnBuilder& b : asked_columns_[v]) batch.columns.push_back(b.finish());
      selection_.clear();
      SUPYO_TRY(expr::select_true(*spec_->variables[v].condition, batch, context_, selection_));
      for (const std::uint32_t i : selection_) verdicts_[asked_[v][i]] = 1;
    }
    return ok();
  }

  Status ask_later(const Partition& p, const Run& run, std::size_t v, std::size_t verdict) {
    asked_[v].push_back(verdict);
    targets_.clear();
    for (ColumnBuilder& b : asked_columns_[v]) targets_.push_back(&b);
    taken_ = run;
    SUPYO_TRY(take_row(taken_, v, p));
    return readers_[v].append(p, taken_, p.last(), batches_, targets_);
  }

  /// The partition's last row.
  Status take_row(Run& run, std::size_t v, const Partition& p) {
    if (run.start == kNoRow) run.start = p.last();
    run.counts.resize(v + 1, 0);
    ++run.counts[v];
    if (!folds_.any()) return ok();
    const RowAt at = p.row(p.last());
    return folds_.take(run.sums, v, *batches_[at.batch], at.row);
  }

  /// What becomes of a run with the row: Flink's order of branches.
  Status go_on(const Partition& p, const Run& run, const std::uint8_t* verdicts) {
    std::uint32_t count = run.count();
    for (std::size_t v = run.variable();; ++v, count = 0) {
      const Spec::Variable& variable = spec_->variables[v];
      if (can_take(v, count) && verdicts[v] != 0) {
        Run longer = run;
        SUPYO_TRY(take_row(longer, v, p));
        const bool last = v + 1 == spec_->variables.size();
        if (!last || !variable.most || longer.count() < *variable.most) next_.push(longer);
        if (can_end(longer)) {
          longer.end = p.last();
          potential_.push(std::move(longer));
        }
      }
      if (count < variable.least || (variable.greedy && verdicts[v] != 0) || v + 1 == spec_->variables.size()) break;
    }
    if (run.start == kNoRow) next_.push(run);
    return ok();
  }

  bool can_end(const Run& run) const {
    const std::size_t v = run.variable();
    if (run.count() < spec_->variables[v].least || spec_->variables[v].greedy) return false;
    return std::all_of(spec_->variables.begin() + static_cast<std::ptrdiff_t>(v) + 1, spec_->variables.end(), [](const Spec::Variable& later) { return later.least == 0; });
  }

  /// Gives out the matches that no open run stands before.
  Status settle(Partition& p, dataflow::Collector& out) {
    while (!p.found.empty() && (p.open.empty() || p.found.top().start <= p.open.top().start)) {
      const Run match = p.found.pop();
      SUPYO_ASSIGN(const std::uint64_t until, skip_until(match));
      const auto gone = [&](const Run& r) { return r.start != kNoRow && r.start < until; };
      p.open.remove_if(gone);
      p.found.remove_if(gone);
      SUPYO_TRY(give(p, match, out));
    }
    return ok();
  }

  /// The first row with which another match may begin.
  Result<std::uint64_t> skip_until(const Run& match) const {
    if (spec_->skip == Spec::Skip::kToNextRow) return match.start + 1;
    if (spec_->skip == Spec::Skip::kPastLastRow) return match.end + 1;
    const std::string& variable = spec_->variables[spec_->skip_to].name;
    const std::uint32_t count = spec_->skip_to < match.counts.size() ? match.counts[spec_->skip_to] : 0;
    if (count == 0)
      return fail(ErrorCode::kJobFailed, fmt::format("AFTER MATCH SKIP TO {}: a match has no row of it", variable), "skip to a variable that every match has, to the next row, or past the last one");
    std::uint64_t row = match.start;
    for (std::size_t v = 0; v < spec_->skip_to; ++v) row += match.counts[v];
    if (spec_->skip == Spec::Skip::kToLast) row += count - 1;
    if (row == match.start)
      return fail(ErrorCode::kJobFailed, fmt::format("AFTER MATCH SKIP TO {}: it is the match's first row, and the same match would be found again", variable), "skip to the next row, or past the last one");
    return row;
  }

  Status give(const Partition& p, const Run& match, dataflow::Collector& out) {
    if (out_.full()) SUPYO_TRY(flush(out));
    const RowAt last = p.row(match.end);
    for (std::size_t i = 0; i < spec_->partition.size(); ++i) out_.column(i).append_from(*batches_[last.batch]->columns[spec_->partition[i]], last.row);
    SUPYO_TRY(result_.append(p, match, match.end, batches_, out_references_));
    given_at_.push_back(now_);
    if (!spec_->origins) {
      out_.end_row();
      return ok();
    }
    Origin origin;
    for (std::uint64_t i = match.start; i <= match.end; ++i) {
      const RowAt at = p.row(i);
      if (!batches_[at.batch]->origins.empty()) origin.merge(batches_[at.batch]->origins[at.row]);
    }
    out_.end_row(RowKind::kInsert, origin);
    return ok();
  }

  /// Emits in the order of the rows that completed the matches.
  Status flush(dataflow::Collector& out) {
    if (out_.rows() == 0) return ok();
    BatchPtr batch = out_.finish();
    if (!std::ranges::is_sorted(given_at_)) {
      std::vector<std::uint32_t> places(given_at_.size());
      for (std::uint32_t i = 0; i < places.size(); ++i) places[i] = i;
      std::ranges::stable_sort(places, {}, [&](std::uint32_t i) { return given_at_[i]; });
      batch = taken(*batch, places);
    }
    given_at_.clear();
    return out.emit(std::move(batch));
  }

  // ---- the end of runs by time

  Status end_until(Partition& p, TimeUs now, dataflow::Collector& out) {
    const auto over = [&](const Run& r) { return r.start != kNoRow && time_of(p, r.start) <= now - *spec_->within_us; };
    if (std::ranges::none_of(p.open.all(), over)) return ok();
    next_.clear();
    for (const Run& r : p.open.all())
      if (!over(r)) next_.push(r);
    std::swap(p.open, next_);
    return settle(p, out);
  }

  Status end_runs(TimeUs watermark, state::OperatorState& state, dataflow::Collector& out) {
    if (state.ordered(kEnds).next_due() > watermark) return ok();
    state::KeyedTable& table = state.keyed(kPartitions);
    Status status = ok();
    slots_.clear();
    state.ordered(kEnds).pop_until(watermark, [&](TimeUs, std::uint64_t hash, std::string_view key) {
      const Slot slot = table.find(hash, key);
      if (slot == state::kNoSlot || !status) return;
      status = load(slot, table);
      if (!status) return;
      slots_.push_back(slot);
      partitions_[place_of_[slot] - 1].timer.reset();
    });
    SUPYO_TRY(std::move(status));
    batches_ = {finish_history()};
    now_ = 0;
    for (Partition& p : partitions_) SUPYO_TRY(end_until(p, watermark, out));
    SUPYO_TRY(flush(out));
    save(state);
    return ok();
  }

  // ---- partitions

  Status load(Slot slot, const state::KeyedTable& table) {
    if (slot >= place_of_.size()) place_of_.resize(std::max<std::size_t>(slot + 1, place_of_.size() * 2), 0);
    if (place_of_[slot] != 0) return ok();
    Partition& p = partitions_.emplace_back();
    place_of_[slot] = static_cast<std::uint32_t>(partitions_.size());
    p.slot = slot;
    ByteReader in(table.blob(slot));
    if (in.done()) {
      p.open.push({});
      return ok();
    }
    if (in.u8() != 0) p.timer = in.i64();
    p.first = in.varint();
    for (std::uint64_t n = in.varint(); n > 0 && !in.failed(); --n) {
      std::string_view row = in.text();
      Origin origin;
      if (spec_->origins) origin = take_origin(row);
      if (!kept_codec_.decode(row, history_columns_)) return damaged("a row");
      p.rows.push_back({0, static_cast<std::uint32_t>(history_.rows())});
      if (spec_->origins) history_.end_row(RowKind::kInsert, origin); else history_.end_row();
    }
    for (Runs* runs : {&p.open, &p.found}) {
      for (std::uint64_t n = in.varint(); n > 0 && !in.failed(); --n) {
        Run run;
        run.start = in.varint() - 1;
        run.end = in.varint() - 1;
        const std::uint64_t counts = in.varint();
        if (counts > spec_->variables.size()) return damaged("a run");
        for (std::uint64_t c = 0; c < counts; ++c) run.counts.push_back(static_cast<std::uint32_t>(in.varint()));
        if (!folds_.decode(run.sums, in)) return damaged("a run");
        runs->push(std::move(run));
      }
    }
    return in.failed() ? damaged("a partition") : ok();
  }

  /// What was decoded becomes a batch in which the columns stand where the input has them.
  BatchPtr finish_history() {
    auto out = std::make_shared<Batch>();
    if (history_.rows() == 0) return out;
    const BatchPtr built = history_.finish();
    out->rows = built->rows;
    out->origins = built->origins;
    out->columns.resize(spec_->input.size());
    for (std::size_t i = 0; i < kept_.size(); ++i) out->columns[kept_[i]] = built->columns[i];
    return out;
  }

  void save(state::OperatorState& state) {
    state::KeyedTable& table = state.keyed(kPartitions);
    for (Partition& p : partitions_) {
      place_of_[p.slot] = 0;
      // Rows before the first run are of no more use.
      std::uint64_t first = kNoRow;
      for (const Runs* runs : {&p.open, &p.found})
        for (const Run& r : runs->all()) first = std::min(first, r.start);
      if (first == kNoRow && !p.timer) {
        table.erase(p.slot);
        continue;
      }
      if (first == kNoRow) first = p.first + p.rows.size();
      p.rows.erase(p.rows.begin(), p.rows.begin() + static_cast<std::ptrdiff_t>(first - p.first));
      p.first = first;
      if (spec_->within_us && !p.timer && !p.rows.empty()) {
        p.timer = time_of(p, p.first) + *spec_->within_us;
        state.ordered(kEnds).insert(*p.timer, table.hash(p.slot), table.key(p.slot));
      }
      encode(p);
      table.set_blob(p.slot, blob_);
    }
    partitions_.clear();
    batches_.clear();
  }

  void encode(const Partition& p) {
    blob_.clear();
    ByteWriter out(blob_);
    out.u8(p.timer ? 1 : 0);
    if (p.timer) out.i64(*p.timer);
    out.varint(p.first);
    out.varint(p.rows.size());
    for (const RowAt at : p.rows) {
      const Batch& batch = *batches_[at.batch];
      bytes_.clear();
      if (spec_->origins) append_origin(batch.origins.empty() ? Origin{} : batch.origins[at.row]);
      picked_.clear();
      for (const std::size_t c : kept_) picked_.push_back(batch.columns[c]);
      kept_codec_.encode(picked_, at.row, bytes_);
      out.text(bytes_);
    }
    for (const Runs* runs : {&p.open, &p.found}) {
      out.varint(runs->all().size());
      for (const Run& r : runs->all()) {
        out.varint(r.start + 1);
        out.varint(r.end + 1);
        out.varint(r.counts.size());
        for (const std::uint32_t c : r.counts) out.varint(c);
        folds_.encode(r.sums, out);
      }
    }
  }

  Status damaged(std::string_view what) const { return fail(ErrorCode::kDamaged, fmt::format("state of {}: {} does not decode", spec_->label, what)); }

  std::shared_ptr<const Spec> spec_;
  RowCodec codec_;
  GroupKeys keys_;
  std::vector<std::size_t> kept_;                          // input columns that a kept row has
  RowCodec kept_codec_;
  std::vector<expr::ExprPtr> alone_;                       // by variable
  // Scratch of one call.
  LateRows late_;
  BatchBuilder waiting_;
  std::vector<ColumnBuilder*> waiting_columns_;
  BatchBuilder history_;
  std::vector<ColumnBuilder*> history_columns_;
  BatchBuilder out_;
  std::vector<ColumnBuilder*> out_references_, targets_;
  MatchFolds folds_;
  Reader result_;
  std::vector<Reader> readers_;                            // by variable
  std::vector<std::vector<ColumnBuilder>> asked_columns_;
  std::vector<std::vector<std::size_t>> asked_;            // ..what is asked: the place of its verdict
  std::vector<std::vector<std::uint8_t>> holds_;           // ..and row of the part
  std::vector<std::uint8_t> verdicts_;                     // by open run and variable
  std::vector<BatchPtr> batches_;
  std::vector<Partition> partitions_;
  std::vector<std::uint32_t> place_of_;                    // by slot: place in partitions_, from 1
  std::vector<std::uint32_t> steps_, selection_, given_at_;
  std::vector<std::vector<std::uint32_t>> rounds_;
  std::vector<Slot> slots_;
  std::vector<std::uint8_t> inserted_;
  std::vector<ColumnPtr> picked_;
  Runs next_, potential_;
  Run taken_;
  std::uint32_t now_ = 0;                                  // row of the part that is being looked at
  expr::EvalContext context_;
  std::string bytes_, blob_;
};

}  // namespace

Schema output_schema(const MatchRecognizeSpec& spec) {
  Schema s;
  for (const std::size_t c : spec.partition) s.add(spec.input[c].name, spec.input[c].type);
  for (const Reference& r : spec.references) s.add(r.name, r.type);
  return s;
}

dataflow::OperatorFactory make_match_recognize(MatchRecognizeSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  return [shared](std::uint32_t, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> { return std::make_unique<MatchRecognize>(shared); };
}

}  // namespace supyo::operators
