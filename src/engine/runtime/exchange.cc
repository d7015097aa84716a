#include "engine/runtime/exchange.h"

#include <utility>

#include "core/base/hash.h"
#include "data/types/row_codec.h"

namespace supyo::runtime {

ExchangeSender::ExchangeSender(std::vector<Channel*> channels, std::vector<std::size_t> keys)
    : channels_(std::move(channels)), keys_(std::move(keys)), rows_(channels_.size()) {}

void ExchangeSender::send_rows(const BatchPtr& batch) {
  if (keys_.empty() || channels_.size() == 1) return channels_.front()->send(batch);
  key_columns_.clear();
  for (const std::size_t k : keys_) key_columns_.push_back(batch->columns[k]);
  hashes_.resize(batch->rows);
  hash_rows(key_columns_, batch->rows, hashes_);
  const auto shards = static_cast<std::uint32_t>(channels_.size());
  for (auto& rows : rows_) rows.clear();
  for (std::size_t i = 0; i < batch->rows; ++i) rows_[shard_of(hashes_[i], shards)].push_back(static_cast<std::uint32_t>(i));
  for (std::size_t s = 0; s < channels_.size(); ++s) {
    if (rows_[s].empty()) continue;
    channels_[s]->send(rows_[s].size() == batch->rows ? batch : take(*batch, rows_[s]));
  }
}

void ExchangeSender::broadcast(const dataflow::Event& event) {
  for (Channel* c : channels_) c->send(event);
}

bool ExchangeSender::flush() {
  bool all = true;
  for (Channel* c : channels_) all &= c->flush();
  return all;
}

}  // namespace supyo::runtime
