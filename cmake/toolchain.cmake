# Compiler flags, linker and the precompiled header that every room shares.
find_program(SUPYO_LLD ld.lld-19)
if(SUPYO_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# pclmul: every v3 processor has it, and simdjson takes its fast path only where the compiler may assume it.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-deprecated-declarations -fPIC -fno-omit-frame-pointer -march=${SUPYO_MARCH} -mpclmul)
add_compile_definitions(SUPYO_VERSION="${PROJECT_VERSION}")
if(SUPYO_WERROR)
  add_compile_options(-Werror)
endif()
if(SUPYO_SANITIZE)
  add_compile_options(-fsanitize=${SUPYO_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SUPYO_SANITIZE})
else()
  # Hardened release: bounds-checked libstdc++ preconditions stay off the hot path, the rest is cheap.
  add_compile_options(-fstack-protector-strong)
  if(CMAKE_CXX_FLAGS MATCHES "-O[123]")
    add_compile_options(-D_FORTIFY_SOURCE=2)
  endif()
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()

if(SUPYO_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)   # coverage of what is linked in: without it the fuzzer is blind
endif()

find_package(fmt REQUIRED)

# One precompiled header, reused by every room: standard headers and fmt, nothing of ours.
file(WRITE ${CMAKE_BINARY_DIR}/pch_anchor.cc "")
add_library(supyo_pch OBJECT ${CMAKE_BINARY_DIR}/pch_anchor.cc)
target_link_libraries(supyo_pch PUBLIC fmt::fmt)
target_precompile_headers(supyo_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-fpch-instantiate-templates "SHELL:-Xclang -fno-pch-timestamp")
endif()
