#include <fmt/format.h>

#include <algorithm>

#include "serve/broker/broker.h"

/// Topics, configurations, and the broker about itself.
namespace supyo::broker {
namespace {

enum ConfigSource : std::int8_t { kDynamicTopic = 1, kStaticBroker = 4, kDefault = 5 };
enum ConfigType : std::int8_t { kString = 2, kLong = 5, kDouble = 6, kList = 7 };

ConfigType type_of(log::TopicSetting::Type type) {
  switch (type) {
    case log::TopicSetting::Type::kNumber: return kLong;
    case log::TopicSetting::Type::kRatio: return kDouble;
    case log::TopicSetting::Type::kList: return kList;
    case log::TopicSetting::Type::kWord: return kString;
  }
  return kString;
}

std::string text_of(const Error& error) { return error.hint.empty() ? error.message : error.message + ": " + error.hint; }

bool wants(const DescribeConfigsRequest::Resource& resource, std::string_view key) {
  return !resource.keys || resource.keys->empty() || std::ranges::find(*resource.keys, key) != resource.keys->end();
}

}  // namespace

SaslHandshakeResponse Broker::sasl(const RequestContext&, SaslHandshakeRequest&) { return {.code = Code::kUnsupportedSaslMechanism, .mechanisms = {}}; }

CreateTopicsResponse Broker::create_topics(const RequestContext&, CreateTopicsRequest& request) {
  CreateTopicsResponse response;
  for (const CreateTopicsRequest::Topic& in : request.topics) {
    CreateTopicsResponse::Topic out;
    out.name = in.name;
    create_topic(request, in, out);
    response.topics.push_back(std::move(out));
  }
  return response;
}

void Broker::create_topic(const CreateTopicsRequest& request, const CreateTopicsRequest::Topic& in, CreateTopicsResponse::Topic& out) {
  const auto refused = [&](Code code, std::string why) {
    out.code = code;
    out.message = std::move(why);
  };
  if (!is_topic_name(in.name)) return refused(Code::kInvalidTopic, "1 to 249 letters, digits, '.', '_' or '-', not beginning with '__'");
  if (std::ranges::count(request.topics, in.name, &CreateTopicsRequest::Topic::name) > 1) return refused(Code::kInvalidRequest, "named twice in one request");
  if (store_.find(in.name) != nullptr) return refused(Code::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", in.name));
  if (in.replication != -1 && in.replication != 1 && in.assignments.empty()) return refused(Code::kInvalidReplicationFactor, "there is one broker: a replication factor of 1");
  log::TopicConfig config = config_.topic;
  config.partitions = static_cast<std::int32_t>(config_.partitions);
  if (in.partitions != -1) config.partitions = in.partitions;
  if (!in.assignments.empty()) {
    config.partitions = static_cast<std::int32_t>(in.assignments.size());
    for (const auto& a : in.assignments)
      if (a.index < 0 || a.index >= config.partitions || a.brokers != std::vector<std::int32_t>{static_cast<std::int32_t>(config_.node_id)})
        return refused(Code::kInvalidReplicaAssignment, "partitions from 0 on, each on this broker alone");
  }
  if (config.partitions < 1 || config.partitions > 10'000) return refused(Code::kInvalidPartitions, "1 to 10000 partitions");
  for (const ConfigValue& c : in.configs) {
    if (!c.value) continue;
    if (const Status set = log::set_topic_setting(config, c.name, *c.value); !set) return refused(Code::kInvalidConfig, text_of(set.error()));
  }
  if (!request.validate_only) {
    auto made = store_.create(in.name, config);
    if (!made) return refused(code_of(made.error()), text_of(made.error()));
    out.id = topic_uuid((*made)->topic.log_id);
  }
  out.partitions = config.partitions;
  out.replication = 1;
  auto& configs = out.configs.emplace();
  const log::TopicConfig defaults;
  for (const log::TopicSetting& s : log::topic_settings()) {
    const auto value = log::topic_setting(config, s.key);
    configs.push_back({std::string(s.key), value, false, value == log::topic_setting(defaults, s.key) ? kDefault : kDynamicTopic, false});
  }
}

DeleteTopicsResponse Broker::delete_topics(const RequestContext& from, DeleteTopicsRequest& request) {
  DeleteTopicsResponse response;
  if (from.version <= 5)
    for (std::string& name : request.names) request.topics.push_back({std::move(name), {}});
  for (const DeleteTopicsRequest::Topic& in : request.topics) {
    DeleteTopicsResponse::Topic& out = response.topics.emplace_back();
    const Store::TopicState* state = in.name ? store_.find(*in.name) : store_.find(in.id);
    out.name = in.name;
    out.id = in.id;
    if (state == nullptr) {
      out.code = in.name ? Code::kUnknownTopicOrPartition : Code::kUnknownTopicId;
      continue;
    }
    const std::string name = state->topic.name;
    out.name = name;
    out.id = topic_uuid(state->topic.log_id);
    if (const Status done = store_.remove(name); !done) {
      out.code = code_of(done.error());
      out.message = text_of(done.error());
    }
  }
  return response;
}

CreatePartitionsResponse Broker::create_partitions(const RequestContext&, CreatePartitionsRequest& request) {
  CreatePartitionsResponse response;
  for (const CreatePartitionsRequest::Topic& in : request.topics) {
    CreatePartitionsResponse::Topic& out = response.topics.emplace_back();
    out.name = in.name;
    const Store::TopicState* state = store_.find(in.name);
    const std::int32_t have = state == nullptr ? 0 : state->topic.config.partitions;
    const auto bad_assignment = [&] {
      return in.assignments && (static_cast<std::int32_t>(in.assignments->size()) != in.count - have ||
                                std::ranges::any_of(*in.assignments, [&](const auto& a) { return a.brokers != std::vector<std::int32_t>{static_cast<std::int32_t>(config_.node_id)}; }));
    };
    if (state == nullptr) {
      out.code = Code::kUnknownTopicOrPartition;
    } else if (in.count <= have || in.count > 10'000) {
      out.code = Code::kInvalidPartitions;
      out.message = fmt::format("the topic has {} partitions: more, and at most 10000", have);
    } else if (bad_assignment()) {
      out.code = Code::kInvalidReplicaAssignment;
    } else if (!request.validate_only) {
      if (const Status grown = store_.grow(in.name, in.count); !grown) {
        out.code = code_of(grown.error());
        out.message = text_of(grown.error());
      }
    }
  }
  return response;
}

DescribeConfigsResponse Broker::describe_configs(const RequestContext&, DescribeConfigsRequest& request) {
  DescribeConfigsResponse response;
  for (const DescribeConfigsRequest::Resource& in : request.resources) {
    DescribeConfigsResponse::Result& out = response.results.emplace_back();
    out.type = in.type;
    out.name = in.name;
    const auto add = [&](std::string_view key, std::optional<std::string> value, bool is_default, ConfigSource source, ConfigType type, std::string_view help) {
      if (!wants(in, key)) return;
      DescribeConfigsResponse::Config c{.name = std::string(key), .value = std::move(value), .read_only = in.type == kBrokerResource, .source = is_default ? kDefault : source, .synonyms = {}, .type = type, .documentation = std::nullopt};
      if (request.synonyms) c.synonyms.push_back({c.name, c.value, c.source});
      if (request.documentation) c.documentation = std::string(help);
      out.configs.push_back(std::move(c));
    };
    if (in.type == kTopicResource) {
      const Store::TopicState* state = store_.find(in.name);
      if (state == nullptr) {
        out.code = Code::kUnknownTopicOrPartition;
        continue;
      }
      for (const log::TopicSetting& s : log::topic_settings()) {
        auto value = log::topic_setting(state->topic.config, s.key);
        const bool same = value == log::topic_setting(config_.topic, s.key);
        add(s.key, std::move(value), same, kDynamicTopic, type_of(s.type), s.help);
      }
    } else if (in.type == kBrokerResource && (in.name.empty() || in.name == fmt::format("{}", config_.node_id))) {
      const BrokerConfig defaults;
      const auto setting = [&](std::string_view key, ConfigType type, std::string_view help) {
        auto value = broker_setting(config_, key);
        const bool same = value == broker_setting(defaults, key);
        add(key, std::move(value), same, kStaticBroker, type, help);
      };
      for (const BrokerSetting& s : broker_settings()) setting(s.key, kLong, s.help);
      for (const TopicDefault& d : topic_defaults()) setting(d.key, kString, "what a new topic gets");
    } else {
      out.code = Code::kInvalidRequest;
      out.message = "topics and this broker have configurations";
    }
  }
  return response;
}

void Broker::alter_topic(const std::string& topic, const log::TopicChanges& changes, bool validate_only, AlterConfigsResponse::Resource& out) {
  const auto refused = [&](Code code, std::string why) {
    out.code = code;
    out.message = std::move(why);
  };
  const Store::TopicState* state = store_.find(topic);
  if (state == nullptr) return refused(Code::kUnknownTopicOrPartition, "no such topic");
  log::TopicChanges full = changes;
  log::TopicConfig tried = state->topic.config;
  for (auto& [key, value] : full) {
    if (!value) value = log::topic_setting(config_.topic, key);   // the broker's default, not the log's
    const Status set = log::set_topic_setting(tried, key, value.value_or(""));
    if (!set) return refused(Code::kInvalidConfig, text_of(set.error()));
  }
  if (validate_only || full.empty()) return;
  if (const Status done = store_.alter(topic, full); !done) refused(code_of(done.error()), text_of(done.error()));
}

AlterConfigsResponse Broker::alter_configs(const RequestContext&, AlterConfigsRequest& request) {
  AlterConfigsResponse response;
  for (const AlterConfigsRequest::Resource& in : request.resources) {
    AlterConfigsResponse::Resource& out = response.resources.emplace_back();
    out.type = in.type;
    out.name = in.name;
    if (in.type != kTopicResource) {
      out.code = Code::kInvalidRequest;
      out.message = "the broker's own settings are given when it starts (--config)";
      continue;
    }
    log::TopicChanges changes;   // the whole set: what is not named gets its default
    for (const log::TopicSetting& s : log::topic_settings()) changes[std::string(s.key)] = std::nullopt;
    for (const ConfigValue& c : in.configs) changes[c.name] = c.value;
    alter_topic(in.name, changes, request.validate_only, out);
  }
  return response;
}

AlterConfigsResponse Broker::change_configs(const RequestContext&, IncrementalAlterConfigsRequest& request) {
  AlterConfigsResponse response;
  for (const IncrementalAlterConfigsRequest::Resource& in : request.resources) {
    AlterConfigsResponse::Resource& out = response.resources.emplace_back();
    out.type = in.type;
    out.name = in.name;
    const Store::TopicState* state = in.type == kTopicResource ? store_.find(in.name) : nullptr;
    if (state == nullptr) {
      out.code = in.type == kTopicResource ? Code::kUnknownTopicOrPartition : Code::kInvalidRequest;
      out.message = in.type == kTopicResource ? "no such topic" : "the broker's own settings are given when it starts (--config)";
      continue;
    }
    log::TopicChanges changes;
    for (const auto& c : in.configs) {
      if (c.operation == IncrementalAlterConfigsRequest::kSet || c.operation == IncrementalAlterConfigsRequest::kDelete) {
        changes[c.name] = c.operation == IncrementalAlterConfigsRequest::kSet ? c.value : std::nullopt;
      } else if (c.name == "cleanup.policy" && c.value) {   // the one list there is: append and subtract
        const std::string now = log::topic_setting(state->topic.config, c.name).value_or("");
        const bool append = c.operation == IncrementalAlterConfigsRequest::kAppend;
        std::string next;
        for (const std::string_view policy : {std::string_view("compact"), std::string_view("delete")}) {
          const bool has = now.find(policy) != std::string::npos;
          const bool named = c.value->find(policy) != std::string::npos;
          if (append ? has || named : has && !named) next += (next.empty() ? "" : ",") + std::string(policy);
        }
        changes[c.name] = next;
      } else {
        out.code = Code::kInvalidConfig;
        out.message = fmt::format("{} is no list", c.name);
      }
    }
    if (out.code == Code::kNone) alter_topic(in.name, changes, request.validate_only, out);
  }
  return response;
}

DeleteRecordsResponse Broker::delete_records(const RequestContext&, DeleteRecordsRequest& request) {
  DeleteRecordsResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const DeleteRecordsRequest::Partition& in : topic.partitions) {
      DeleteRecordsResponse::Partition& p = out.partitions.emplace_back();
      p.index = in.index;
      Partition* partition = store_.find(topic.name, in.index);
      if (partition == nullptr) {
        p.code = Code::kUnknownTopicOrPartition;
        continue;
      }
      auto writer = partition->writer();
      if (!writer) {
        p.code = code_of(writer.error());
        continue;
      }
      const std::int64_t high = (*writer)->synced_end().value;
      const std::int64_t before = in.offset == -1 ? high : in.offset;
      if (before < 0 || before > high) {
        p.code = Code::kOffsetOutOfRange;
        continue;
      }
      if (before > (*writer)->log_start().value) {
        const Status done = (*writer)->delete_before(Offset(before));
        if (!done) p.code = code_of(done.error());
      }
      p.low_watermark = (*writer)->log_start().value;
    }
  }
  return response;
}

DescribeClusterResponse Broker::describe_cluster(const RequestContext&, DescribeClusterRequest& request) {
  DescribeClusterResponse response;
  if (request.endpoint_type != 1) {
    response.code = Code::kInvalidRequest;
    response.message = "there are no controllers to ask";
    return response;
  }
  response.cluster_id = cluster_id_;
  response.controller = static_cast<std::int32_t>(config_.node_id);
  response.brokers.push_back({response.controller, endpoint_.host, endpoint_.port, std::nullopt});
  return response;
}

DescribeLogDirsResponse Broker::describe_log_dirs(const RequestContext&, DescribeLogDirsRequest& request) {
  DescribeLogDirsResponse response;
  DescribeLogDirsResponse::Directory& directory = response.directories.emplace_back();
  directory.path = store_.directory();
  const auto add = [&](TopicOf<DescribeLogDirsResponse::Partition>& topic, Partition& p) {
    if (auto w = p.writer(); w) topic.partitions.push_back({p.id().value, static_cast<std::int64_t>((*w)->bytes()), 0, false});
  };
  if (!request.topics) {
    for (auto& [name, state] : store_.topics()) {
      auto& topic = directory.topics.emplace_back();
      topic.name = name;
      for (auto& p : state.partitions) add(topic, *p);
    }
    return response;
  }
  for (const auto& in : *request.topics) {
    auto& topic = directory.topics.emplace_back();
    topic.name = in.name;
    for (const std::int32_t index : in.partitions)
      if (Partition* p = store_.find(in.name, index)) add(topic, *p);
  }
  return response;
}

}  // namespace supyo::broker
