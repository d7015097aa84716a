#include "engine/job/connectors.h"

#include "connect/file/file.h"
#include "connect/generator/generator.h"
#include "connect/generator/nexmark.h"
#include "connect/iceberg/iceberg.h"
#include "connect/jdbc/jdbc.h"
#include "connect/kafka/kafka.h"
#include "connect/stream/stream.h"
#include "data/formats/format.h"

namespace supyo::job {
namespace {

using SourceResult = Result<std::shared_ptr<dataflow::Source>>;
using SinkResult = Result<std::shared_ptr<dataflow::Sink>>;

void add(std::map<std::string, Connector>& all, Connector c) { all.emplace(c.descriptor.name, std::move(c)); }

std::vector<catalog::OptionSpec> format_option_specs(const std::string& format) {
  using K = catalog::OptionSpec::Kind;
  std::vector<catalog::OptionSpec> out;
  for (formats::FormatOptionSpec& f : formats::format_options(format))
    out.push_back({.key = format + "." + f.key, .kind = f.allowed.empty() ? K::kText : K::kEnum, .default_value = std::move(f.default_value),
                   .allowed = std::move(f.allowed), .help = std::move(f.help)});
  return out;
}

}  // namespace

const std::map<std::string, Connector>& connectors() {
  static const std::map<std::string, Connector> all = [] {
    using S = const catalog::SourceRequest&;
    using K = const catalog::SinkRequest&;
    using C = const ConnectorContext&;
    std::map<std::string, Connector> m;
    add(m, {connect::generator_descriptor(), [](S r, C c) -> SourceResult { return connect::make_generator_source(r, c.env); }, nullptr});
    add(m, {connect::nexmark_descriptor(), [](S r, C c) -> SourceResult { return connect::make_nexmark_source(r, c.env); }, nullptr});
    add(m, {connect::file_descriptor(), [](S r, C c) -> SourceResult { return connect::make_file_source(r, c.env); },
            [](K r, C c) -> SinkResult { return connect::make_file_sink(r, c.env); }});
    add(m, {connect::print_descriptor(), nullptr, [](K r, C c) -> SinkResult { return connect::make_print_sink(r, c.print); }});
    add(m, {connect::blackhole_descriptor(), nullptr, [](K r, C) -> SinkResult { return connect::make_blackhole_sink(r); }});
    add(m, {connect::stream_descriptor(),
            [](S r, C c) -> SourceResult { return connect::is_embedded_log(r.table.options) ? connect::make_stream_source(r, c.env) : connect::make_kafka_source(r, c.env); },
            [](K r, C c) -> SinkResult { return connect::is_embedded_log(r.table.options) ? connect::make_stream_sink(r, c.env) : connect::make_kafka_sink(r, c.env); }});
    add(m, {connect::upsert_kafka_descriptor(), [](S r, C c) -> SourceResult { return connect::make_upsert_kafka_source(r, c.env); }, [](K r, C c) -> SinkResult { return connect::make_upsert_kafka_sink(r, c.env); }});
    add(m, {connect::iceberg_descriptor(), [](S r, C c) -> SourceResult { return connect::make_iceberg_source(r, c.env); },
            [](K r, C c) -> SinkResult { return connect::make_iceberg_sink(r, c.env); }});
    add(m, {connect::jdbc_descriptor(), [](S r, C c) -> SourceResult { return connect::make_jdbc_source(r, c.env); },
            [](K r, C c) -> SinkResult { return connect::make_jdbc_sink(r, c.env); },
            [](S r, const dataflow::LookupKeys& keys, C c) { return connect::make_jdbc_lookup(r, keys, c.env); }, connect::jdbc_lookup_cache});
    return m;
  }();
  return all;
}

const catalog::ConnectorRegistry& connector_registry() {
  static const catalog::ConnectorRegistry all = [] {
    catalog::ConnectorRegistry r;
    for (const auto& [name, c] : connectors()) r.add(c.descriptor);
    for (const std::string& format : formats::format_names()) r.add_format(format, format_option_specs(format));
    for (const std::string& format : formats::format_names())
      if (formats::is_changelog(format)) r.add_changelog_format(format);
    return r;
  }();
  return all;
}

std::map<std::string, catalog::ExternalCatalogFactory> catalog_factories(const env::Env& env) {
  return {{"iceberg", connect::iceberg_catalog_factory(env)}};
}

}  // namespace supyo::job
