#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/result.h"
#include "engine/dataflow/sink.h"
#include "sql/catalog/connector.h"

namespace supyo::connect {

/// Where 'print' writes; called from shard threads, one whole block of lines at a time. `error` = standard error.
using PrintTarget = std::function<void(std::string_view lines, bool error)>;

/// 'connector' = 'print': each row as `+I[1, a]`, as soon as it comes (at least once: rows of a failed epoch are printed again).
catalog::ConnectorDescriptor print_descriptor();
Result<std::shared_ptr<dataflow::Sink>> make_print_sink(const catalog::SinkRequest& request, PrintTarget target);

/// 'connector' = 'blackhole': takes everything and keeps nothing.
catalog::ConnectorDescriptor blackhole_descriptor();
Result<std::shared_ptr<dataflow::Sink>> make_blackhole_sink(const catalog::SinkRequest& request);

/// A SELECT at the console: every batch goes to `take`, from shard threads, as it comes.
using CollectTarget = std::function<Status(const BatchPtr&)>;
std::shared_ptr<dataflow::Sink> make_collect_sink(CollectTarget take);

}  // namespace supyo::connect
