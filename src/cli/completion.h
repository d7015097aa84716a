#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace supyo::cli {

/// What a session knows by name. Asked with each Tab.
struct KnownNames {
  std::function<std::vector<std::string>()> tables;                            ///< and views
  std::function<std::vector<std::string>(const std::string& table)> columns;   ///< fields of ROW columns, too: "person.name"
  std::function<std::vector<std::string>()> functions;
};

struct Completion {
  std::size_t begin = 0;                 ///< the candidates replace what stands from here to the cursor
  std::vector<std::string> candidates;   ///< as they are to be written, in order
};

/// What may stand at the end of `text`, the beginning of a statement: after FROM, JOIN, INTO and the like tables, behind "name." that table's columns, else
/// columns of the tables that the statement (`text` and what follows, `rest`) names, functions and keywords. Nothing within a string or a comment.
Completion complete(std::string_view text, std::string_view rest, const KnownNames& names);

}  // namespace supyo::cli
