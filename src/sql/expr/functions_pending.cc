#include "sql/expr/registration.h"
namespace supyo::expr {
void register_math(Registrar&) {}
void register_string(Registrar&) {}
void register_pattern(Registrar&) {}
void register_digest(Registrar&) {}
void register_temporal(Registrar&) {}
void register_clock(Registrar&) {}
}  // namespace supyo::expr
