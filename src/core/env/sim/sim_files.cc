#include "core/env/sim/sim_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace supyo::env {

/// A file or a directory. `live` is what programs see, `durable` what a crash falls back to.
struct SimFiles::Node {
  bool directory = false;
  std::string live;
  std::string durable;
  struct Range {
    std::uint32_t from;
    std::uint32_t to;
  };
  std::map<std::uint64_t, Range> dirty;  ///< page number -> bytes of it that were written since the last sync
  std::uint64_t cut = UINT64_MAX;        ///< smallest size that the file had since then
  void clean() {
    dirty.clear();
    cut = UINT64_MAX;
  }
  std::map<std::string, NodePtr> entries;
  std::map<std::string, NodePtr> durable_entries;

  void mark_dirty(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t at = from; at < to;) {
      const std::uint64_t page = at / kPage;
      const std::uint64_t end = std::min(to, (page + 1) * kPage);
      const Range r{static_cast<std::uint32_t>(at % kPage), static_cast<std::uint32_t>(end - page * kPage)};
      const auto [it, inserted] = dirty.try_emplace(page, r);
      if (!inserted) it->second = {std::min(it->second.from, r.from), std::max(it->second.to, r.to)};
      at = end;
    }
  }
  void resize(std::uint64_t size) {
    cut = std::min(cut, size);
    live.resize(size, '\0');
    std::erase_if(dirty, [&](const auto& page) { return page.first * kPage >= size; });
  }
};

/// `name` in `directory` is now `node` (null: gone).
struct SimFiles::Assignment {
  NodePtr directory;
  std::string name;
  NodePtr node;
};

/// A change of directory entries that is atomic and not yet durable.
struct SimFiles::PendingEntry {
  std::vector<Assignment> assignments;

  bool touches(const Node* directory) const {
    return std::any_of(assignments.begin(), assignments.end(), [&](const Assignment& a) { return a.directory.get() == directory; });
  }
  void apply() const {
    for (const Assignment& a : assignments) {
      if (a.node) a.directory->durable_entries[a.name] = a.node;
      else a.directory->durable_entries.erase(a.name);
    }
  }
};

class SimFiles::Handle final : public File {
 public:
  Handle(SimFiles& files, std::string path, NodePtr node, bool writable)
      : files_(files), path_(std::move(path)), node_(std::move(node)), writable_(writable), generation_(files.generation_) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) const override {
    SUPYO_TRY(begin(FileOperationKind::kRead));
    if (offset >= node_->live.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(out.size(), node_->live.size() - offset);
    std::memcpy(out.data(), node_->live.data() + offset, n);
    return n;
  }

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    SUPYO_TRY(alive());
    SUPYO_CHECK(writable_);
    const std::optional<SimFault> fault = files_.begin(FileOperationKind::kWrite, path_, bytes);
    if (fault == SimFault::kPowerOff) return powered_off();
    const std::uint64_t room = files_.room_for(*node_);
    const bool full = offset + bytes.size() > std::max<std::uint64_t>(room, node_->live.size());
    std::size_t n = bytes.size();
    if (fault || full) n = files_.choices_.choose(static_cast<std::uint32_t>(std::min<std::size_t>(n, UINT32_MAX - 1)) + 1);
    if (full) n = std::min<std::size_t>(n, room > offset ? room - offset : 0);
    put(offset, bytes.substr(0, n));
    if (fault == SimFault::kDiskFull || full) return fail(ErrorCode::kDiskFull, fmt::format("cannot write {}: no space left", path_));
    if (fault) return fail(ErrorCode::kIo, fmt::format("cannot write {}: input/output error", path_));
    return ok();
  }

  Result<std::uint64_t> size() const override {
    SUPYO_TRY(begin(FileOperationKind::kSize));
    return node_->live.size();
  }

  Status truncate(std::uint64_t size) override {
    SUPYO_TRY(begin(FileOperationKind::kTruncate));
    node_->resize(size);
    return ok();
  }

  Status allocate(std::uint64_t size) override {
    SUPYO_TRY(begin(FileOperationKind::kAllocate));
    if (size <= node_->live.size()) return ok();
    if (size > files_.room_for(*node_))
      return fail(ErrorCode::kDiskFull, fmt::format("cannot allocate {} bytes for {}: no space left", size, path_));
    node_->resize(size);
    return ok();
  }

  Status sync() override {
    SUPYO_TRY(alive());
    const std::optional<SimFault> fault = files_.begin(FileOperationKind::kSync, path_);
    if (fault == SimFault::kPowerOff) return powered_off();
    if (fault) {
      node_->durable = settle(*node_, files_.choices_);
      node_->clean();  // so the page cache says now, durable or not
      return fail(ErrorCode::kSyncFailed, fmt::format("cannot sync {}: input/output error", path_));
    }
    files_.sync_node(*node_);
    return ok();
  }

 private:
  Status alive() const {
    if (generation_ == files_.generation_) return ok();
    return fail(ErrorCode::kIo, fmt::format("{}: opened before the crash", path_));
  }
  Status powered_off() const { return fail(ErrorCode::kIo, fmt::format("{}: the machine is off", path_)); }
  Status begin(FileOperationKind kind) const {
    SUPYO_TRY(alive());
    return files_.begin_or_fail(kind, path_);
  }
  void put(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (offset + bytes.size() > node_->live.size()) node_->live.resize(offset + bytes.size(), '\0');
    std::memcpy(node_->live.data() + offset, bytes.data(), bytes.size());
    node_->mark_dirty(offset, offset + bytes.size());
    files_.bytes_written_ += bytes.size();
  }

  SimFiles& files_;
  std::string path_;
  NodePtr node_;
  bool writable_;
  std::uint64_t generation_;
};

class SimFiles::Lock final : public FileLock {
 public:
  Lock(SimFiles& files, NodePtr node) : files_(files), node_(std::move(node)), generation_(files.generation_) {}
  ~Lock() override {
    if (generation_ == files_.generation_) files_.locked_.erase(node_.get());
  }

 private:
  SimFiles& files_;
  NodePtr node_;
  std::uint64_t generation_;
};

namespace {

class SimMappedFile final : public MappedFile {
 public:
  explicit SimMappedFile(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const override { return bytes_; }

 private:
  std::string bytes_;
};

std::vector<std::string> path_parts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.emplace_back(part);
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

std::unexpected<Error> not_found(std::string_view path) {
  return fail(ErrorCode::kNotFoundOnDisk, fmt::format("{}: no such file or directory", path));
}

std::unexpected<Error> already_exists(std::string_view path) {
  return fail(ErrorCode::kAlreadyExistsOnDisk, fmt::format("{}: exists already", path));
}

}  // namespace

SimFiles::SimFiles(Choices& choices) : choices_(choices), root_(std::make_shared<Node>()) { root_->directory = true; }
SimFiles::~SimFiles() = default;

std::optional<SimFault> SimFiles::begin(FileOperationKind kind, std::string_view path, std::string_view bytes) {
  ++operations_;
  if (kind == FileOperationKind::kSync || kind == FileOperationKind::kSyncDirectory) ++syncs_;
  trace_hash_ = hash_combine(trace_hash_, hash_bytes(path, static_cast<std::uint64_t>(kind)));
  if (!bytes.empty()) trace_hash_ = hash_combine(trace_hash_, hash_bytes(bytes));
  if (powered_off_) return SimFault::kPowerOff;
  std::optional<SimFault> fault;
  if (hook_) fault = hook_({kind, path, operations_});
  if (fault == SimFault::kPowerOff) powered_off_ = true;
  return fault;
}

Status SimFiles::begin_or_fail(FileOperationKind kind, const std::string& path, std::string_view bytes) {
  const std::optional<SimFault> fault = begin(kind, path, bytes);
  if (!fault) return ok();
  if (*fault == SimFault::kDiskFull) return fail(ErrorCode::kDiskFull, fmt::format("{}: no space left", path));
  return fail(ErrorCode::kIo, fmt::format("{}: {}", path, *fault == SimFault::kIo ? "input/output error" : "the machine is off"));
}

SimFiles::NodePtr SimFiles::find(const std::string& path) const {
  NodePtr node = root_;
  for (const std::string& part : path_parts(path)) {
    if (!node->directory) return nullptr;
    const auto it = node->entries.find(part);
    if (it == node->entries.end()) return nullptr;
    node = it->second;
  }
  return node;
}

Result<SimFiles::Place> SimFiles::place(const std::string& path) const {
  std::vector<std::string> parts = path_parts(path);
  if (parts.empty()) return already_exists(path);
  Place result{root_, std::move(parts.back()), nullptr};
  parts.pop_back();
  for (const std::string& part : parts) {
    const auto it = result.directory->entries.find(part);
    if (it == result.directory->entries.end() || !it->second->directory) return not_found(path);
    result.directory = it->second;
  }
  if (const auto it = result.directory->entries.find(result.name); it != result.directory->entries.end()) result.node = it->second;
  return result;
}

void SimFiles::change_entries(std::vector<Assignment> assignments) {
  for (const Assignment& a : assignments) {
    if (a.node) a.directory->entries[a.name] = a.node;
    else a.directory->entries.erase(a.name);
  }
  pending_.push_back({std::move(assignments)});
}

Result<std::unique_ptr<File>> SimFiles::open(const std::string& path, OpenMode mode) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kOpen, path));
  const bool creates = mode == OpenMode::kCreateNew || mode == OpenMode::kCreateOrOpen;
  SUPYO_ASSIGN(Place p, place(path));
  if (p.node && p.node->directory) return fail(ErrorCode::kIo, fmt::format("{}: is a directory", path));
  if (p.node && mode == OpenMode::kCreateNew) return already_exists(path);
  if (!p.node) {
    if (!creates) return not_found(path);
    p.node = std::make_shared<Node>();
    change_entries({{p.directory, p.name, p.node}});
  }
  return std::make_unique<Handle>(*this, path, p.node, mode != OpenMode::kRead);
}

Result<std::unique_ptr<MappedFile>> SimFiles::map(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kMap, path));
  const NodePtr node = find(path);
  if (!node || node->directory) return not_found(path);
  return std::make_unique<SimMappedFile>(node->live);
}

Result<bool> SimFiles::exists(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kExists, path));
  return find(path) != nullptr;
}

Result<bool> SimFiles::is_directory(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kIsDirectory, path));
  const NodePtr node = find(path);
  return node && node->directory;
}

Status SimFiles::create_directories(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kCreateDirectories, path));
  NodePtr node = root_;
  for (const std::string& part : path_parts(path)) {
    NodePtr next;
    if (const auto it = node->entries.find(part); it != node->entries.end()) {
      next = it->second;
      if (!next->directory) return already_exists(path);
    } else {
      next = std::make_shared<Node>();
      next->directory = true;
      change_entries({{node, part, next}});
    }
    node = next;
  }
  return ok();
}

Result<std::vector<std::string>> SimFiles::list(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kList, path));
  const NodePtr node = find(path);
  if (!node || !node->directory) return not_found(path);
  std::vector<std::string> names;
  for (const auto& [name, entry] : node->entries) names.push_back(name);
  return names;
}

Status SimFiles::remove(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kRemove, path));
  SUPYO_ASSIGN(const Place p, place(path));
  if (!p.node) return not_found(path);
  if (p.node->directory && !p.node->entries.empty()) return fail(ErrorCode::kIo, fmt::format("{}: directory not empty", path));
  change_entries({{p.directory, p.name, nullptr}});
  return ok();
}

Status SimFiles::remove_all(const std::string& path) {
  const NodePtr node = find(path);
  if (!node) return ok();
  if (node->directory) {
    SUPYO_ASSIGN(const std::vector<std::string> names, list(path));
    for (const std::string& name : names) SUPYO_TRY(remove_all(join_path(path, name)));
  }
  return remove(path);
}

Status SimFiles::move_entry(const std::string& from, const std::string& to, bool replace) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kRename, from));
  SUPYO_ASSIGN(const Place source, place(from));
  if (!source.node) return not_found(from);
  SUPYO_ASSIGN(const Place target, place(to));
  if (target.node && !replace) return already_exists(to);
  if (target.node && target.node->directory && !target.node->entries.empty())
    return fail(ErrorCode::kIo, fmt::format("{}: directory not empty", to));
  if (target.node == source.node) return ok();
  change_entries({{source.directory, source.name, nullptr}, {target.directory, target.name, source.node}});
  return ok();
}

Status SimFiles::rename(const std::string& from, const std::string& to) { return move_entry(from, to, true); }
Status SimFiles::rename_no_replace(const std::string& from, const std::string& to) { return move_entry(from, to, false); }

Status SimFiles::link(const std::string& from, const std::string& to) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kLink, from));
  const NodePtr source = find(from);
  if (!source || source->directory) return not_found(from);
  SUPYO_ASSIGN(const Place target, place(to));
  if (target.node) return already_exists(to);
  change_entries({{target.directory, target.name, source}});
  return ok();
}

Status SimFiles::sync_directory(const std::string& path) {
  const std::optional<SimFault> fault = begin(FileOperationKind::kSyncDirectory, path);
  if (fault) return fail(ErrorCode::kSyncFailed, fmt::format("cannot sync directory {}: input/output error", path));
  const NodePtr node = find(path);
  if (!node || !node->directory) return not_found(path);
  // A change that becomes durable takes with it the earlier ones of the directories that it also touches.
  std::set<const Node*> synced{node.get()};
  std::vector<bool> durable(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    durable[i] = std::any_of(synced.begin(), synced.end(), [&](const Node* d) { return pending_[i].touches(d); });
    if (!durable[i]) continue;
    for (const Assignment& a : pending_[i].assignments) synced.insert(a.directory.get());
  }
  std::vector<PendingEntry> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (durable[i]) pending_[i].apply();
    else left.push_back(std::move(pending_[i]));
  }
  pending_ = std::move(left);
  return ok();
}

Result<std::unique_ptr<FileLock>> SimFiles::lock(const std::string& path) {
  SUPYO_TRY(begin_or_fail(FileOperationKind::kLock, path));
  SUPYO_ASSIGN(Place p, place(path));
  if (!p.node) {
    p.node = std::make_shared<Node>();
    change_entries({{p.directory, p.name, p.node}});
  }
  if (!locked_.insert(p.node.get()).second) return fail(ErrorCode::kStateLocked, fmt::format("{}: locked by another holder", path));
  return std::make_unique<Lock>(*this, p.node);
}

void SimFiles::sync_node(Node& node) {
  node.durable.resize(std::min<std::uint64_t>(node.cut, node.durable.size()));
  node.durable.resize(node.live.size(), '\0');
  for (const auto& [page, range] : node.dirty) {
    const std::uint64_t from = page * kPage;
    if (from >= node.live.size()) continue;
    const std::uint64_t n = std::min<std::uint64_t>(kPage, node.live.size() - from);
    std::memcpy(node.durable.data() + from, node.live.data() + from, n);
  }
  node.clean();
}

std::string SimFiles::settle(const Node& node, Choices& choices) {
  const std::uint64_t live = node.live.size();
  std::string after = node.durable;
  if (node.cut < after.size() && choices.choose(2) == 0) after.resize(node.cut);
  const std::uint64_t start = after.size();
  std::uint64_t size = start;
  if (live > start && choices.choose(2) == 0) size = live;
  after.resize(std::max(live, start), '\0');
  for (const auto& [page, range] : node.dirty) {
    const std::uint64_t from = page * kPage;
    const std::uint32_t fate = choices.choose(range.to - range.from >= 2 ? 3 : 2);  // 0 kept, 1 dropped, 2 torn
    if (fate == 1) continue;
    const std::uint64_t to = std::min<std::uint64_t>(from + (fate == 0 ? kPage : choices.tear(range.from, range.to)), after.size());
    const std::uint64_t written = std::clamp<std::uint64_t>(live, from, to);
    std::memcpy(after.data() + from, node.live.data() + from, written - from);
    std::memset(after.data() + written, 0, to - written);
    if (live > start) size = std::max(size, written);  // a page beyond the old end brings the size with it
  }
  after.resize(size, '\0');
  return after;
}

void SimFiles::visit(const NodePtr& node, const std::function<void(Node&)>& f, std::set<const Node*>& seen) const {
  if (!seen.insert(node.get()).second) return;
  f(*node);
  for (const auto& [name, entry] : node->entries) visit(entry, f, seen);
}

void SimFiles::crash(Choices* choices) {
  Choices& fate = choices ? *choices : choices_;
  for (const PendingEntry& entry : pending_)
    if (fate.choose(2) == 0) entry.apply();
  pending_.clear();
  // The tree that survives; files come in path order, so that enumerated choices repeat.
  const std::function<void(const NodePtr&, std::set<const Node*>&)> restore = [&](const NodePtr& node, std::set<const Node*>& seen) {
    if (!seen.insert(node.get()).second) return;
    if (!node->directory) {
      node->durable = settle(*node, fate);
      node->live = node->durable;
      node->clean();
      return;
    }
    node->entries = node->durable_entries;
    for (const auto& [name, entry] : node->entries) restore(entry, seen);
  };
  std::set<const Node*> seen;
  restore(root_, seen);
  kill_process();
}

void SimFiles::kill_process() {
  ++generation_;
  locked_.clear();
  powered_off_ = false;
}

std::uint64_t SimFiles::room_for(const Node& node) const {
  if (capacity_ == UINT64_MAX) return capacity_;
  return capacity_ - std::min(capacity_, bytes_used() - std::min<std::uint64_t>(bytes_used(), node.live.size()));
}

std::uint64_t SimFiles::bytes_used() const {
  std::uint64_t total = 0;
  std::set<const Node*> seen;
  visit(root_, [&](const Node& n) { total += n.live.size(); }, seen);
  return total;
}

std::uint64_t SimFiles::dirty_pages() const {
  std::uint64_t total = 0;
  std::set<const Node*> seen;
  visit(root_, [&](const Node& n) { total += n.dirty.size(); }, seen);
  return total;
}

FaultHook fail_nth(std::uint64_t n, SimFault fault) {
  return [n, fault](const FileOperation&) mutable -> std::optional<SimFault> {
    if (n == 0 || --n > 0) return std::nullopt;
    return fault;
  };
}

}  // namespace supyo::env
