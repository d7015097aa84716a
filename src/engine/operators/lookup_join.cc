#include "engine/operators/lookup_join.h"

#include <algorithm>
#include <unordered_map>

#include "core/base/hash.h"
#include "engine/operators/eval_context.h"
#include "engine/operators/asked_table.h"
#include "engine/operators/group_keys.h"
#include "engine/operators/join_schema.h"

namespace supyo::operators {
namespace {

using Spec = LookupJoinSpec;

/// The table's rows, encoded, by key. Read-only once built.
class Table {
 public:
  Table(const Spec& spec, const std::vector<BatchPtr>& batches) : codec_(spec.right.types()) {
    GroupKeys keys(spec.right, spec.right_keys);
    for (const BatchPtr& batch : batches) {
      keys.start_with_all(*batch);
      const auto views = keys.views();
      for (std::size_t row = 0; row < batch->rows; ++row) {
        if (has_null(*batch, spec.right_keys, row)) continue;
        by_key_[std::string(views[row])].push_back(static_cast<std::uint32_t>(ends_.size()));
        codec_.encode(batch->columns, row, bytes_);
        ends_.push_back(bytes_.size());
      }
    }
  }

  Status prepare(const Batch&, std::span<const std::string_view>, TimeUs) const { return ok(); }
  /// Numbers of rows, in the table's order.
  std::span<const std::uint32_t> find(std::string_view key) const {
    const auto it = by_key_.find(key);
    return it == by_key_.end() ? std::span<const std::uint32_t>() : std::span<const std::uint32_t>(it->second);
  }
  bool decode(std::uint32_t row, std::span<ColumnBuilder* const> out) const {
    const std::size_t from = row == 0 ? 0 : ends_[row - 1];
    return codec_.decode(std::string_view(bytes_).substr(from, ends_[row] - from), out);
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return hash_bytes(s); }
  };
  RowCodec codec_;
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>> by_key_;
};

/// `Rows`: what is known of the table. prepare() before find().
template <class Rows>
class LookupJoin final : public dataflow::Operator {
 public:
  LookupJoin(std::shared_ptr<const Spec> spec, std::shared_ptr<Rows> table)
      : spec_(std::move(spec)), table_(std::move(table)), keys_(spec_->left, spec_->left_keys), right_(right_side(*spec_)) {
    right_columns_ = builder_columns(right_, 0, spec_->right.size());
  }

  static Schema right_side(const Spec& s) {
    Schema out;
    for (const Field& f : s.right.fields()) out.add(f.name, s.keep_left ? f.type.as_nullable() : f.type);
    return out;
  }

  std::string_view name() const override { return "LookupJoin"; }

  Status process(const BatchPtr& batch, std::size_t, dataflow::OperatorContext& ctx, dataflow::Collector& out) override {
    keys_.start_with_all(*batch);
    const auto views = keys_.views();
    SUPYO_TRY(table_->prepare(*batch, views, ctx.now_us()));
    lefts_.clear();
    rights_.clear();
    for (std::uint32_t row = 0; row < batch->rows; ++row) {
      const std::size_t before = lefts_.size();
      if (!has_null(*batch, spec_->left_keys, row)) {
        for (const std::uint32_t match : table_->find(views[row])) add(row, match);
      }
      if (spec_->keep_left && !spec_->condition && lefts_.size() == before) add(row, kNothing);
    }
    if (spec_->condition) SUPYO_TRY(ask(*batch, eval_context(ctx, spec_->zone)));
    for (std::size_t from = 0; from < lefts_.size(); from += Batch::kMaxRows) {
      SUPYO_ASSIGN(BatchPtr pairs, pairs_from(*batch, from));
      SUPYO_TRY(out.emit(std::move(pairs)));
    }
    return ok();
  }

 private:
  static constexpr std::uint32_t kNothing = UINT32_MAX;

  void add(std::uint32_t left, std::uint32_t right) {
    lefts_.push_back(left);
    rights_.push_back(right);
  }

  Result<BatchPtr> pairs_from(const Batch& batch, std::size_t from) {
    const std::size_t count = std::min(Batch::kMaxRows, lefts_.size() - from);
    for (std::size_t i = from; i < from + count; ++i) {
      if (rights_[i] == kNothing) {
        for (ColumnBuilder* c : right_columns_) c->append_null();
      } else if (!table_->decode(rights_[i], right_columns_)) {
        return fail(ErrorCode::kInternal, "LookupJoin: a row of the table does not decode");
      }
      right_.end_row();
    }
    auto out = std::make_shared<Batch>(*take(batch, std::span(lefts_).subspan(from, count)));
    const BatchPtr right = right_.finish();
    out->columns.insert(out->columns.end(), right->columns.begin(), right->columns.end());
    return out;
  }

  /// Leaves the pairs that fulfil the condition, and the rows for which none does.
  Status ask(const Batch& batch, const expr::EvalContext& eval) {
    std::vector<std::uint32_t>& left = kept_lefts_;
    std::vector<std::uint32_t>& right = kept_rights_;
    left.clear();
    right.clear();
    std::uint32_t alone = 0;   // the first row of which nothing is known yet
    const auto stand_alone = [&](std::uint32_t to) {
      for (; spec_->keep_left && alone < to; ++alone) {
        left.push_back(alone);
        right.push_back(kNothing);
      }
    };
    for (std::size_t from = 0; from < lefts_.size(); from += Batch::kMaxRows) {
      SUPYO_ASSIGN(const BatchPtr pairs, pairs_from(batch, from));
      SUPYO_TRY(expr::select_true(*spec_->condition, *pairs, eval, selection_));
      for (const std::uint32_t i : selection_) {
        stand_alone(lefts_[from + i]);
        left.push_back(lefts_[from + i]);
        right.push_back(rights_[from + i]);
        alone = lefts_[from + i] + 1;
      }
    }
    stand_alone(static_cast<std::uint32_t>(batch.rows));
    lefts_.swap(left);
    rights_.swap(right);
    return ok();
  }

  std::shared_ptr<const Spec> spec_;
  std::shared_ptr<Rows> table_;
  GroupKeys keys_;
  // Scratch of one call.
  BatchBuilder right_;
  std::vector<ColumnBuilder*> right_columns_;
  std::vector<std::uint32_t> lefts_, rights_, kept_lefts_, kept_rights_, selection_;
};

}  // namespace

Schema output_schema(const LookupJoinSpec& spec) { return joined_schema(spec.left, spec.right, spec.keep_left, false); }

dataflow::OperatorFactory make_lookup_join(LookupJoinSpec spec) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  auto table = std::make_shared<std::shared_ptr<const Table>>();
  return [shared, table](std::uint32_t shard, std::uint32_t) -> Result<std::unique_ptr<dataflow::Operator>> {
    if (shared->ask) {
      SUPYO_ASSIGN(auto lookup, shared->ask());
      auto rows = std::make_shared<AskedTable>(shared->left_keys, shared->right, shared->right_keys, shared->cache, std::move(lookup));
      return std::make_unique<LookupJoin<AskedTable>>(shared, std::move(rows));
    }
    if (shard == 0) {
      SUPYO_ASSIGN(const std::vector<BatchPtr> rows, shared->read());
      *table = std::make_shared<const Table>(*shared, rows);
    }
    return std::make_unique<LookupJoin<const Table>>(shared, *table);
  };
}

}  // namespace supyo::operators
