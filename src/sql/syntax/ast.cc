#include "sql/syntax/ast.h"

namespace supyo::syntax {

std::string FunctionCall::upper_name() const {
  std::string upper = name.last();
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

}  // namespace supyo::syntax
