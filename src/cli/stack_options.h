#pragma once
#include "cli/context.h"
#include "lab/stack/stack.h"

namespace supyo::cli {

/// The user's own stacks, where `supyo stack` without --dir keeps them. kMissingOption when neither HOME nor the XDG variables are set.
Result<stack::StackOptions> user_stack(const Context& context);

}  // namespace supyo::cli
