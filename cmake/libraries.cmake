# Third-party libraries, each used by the rooms named here and by no other. Why each: docs/design/libraries.md.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

supyo_libraries(core/env Threads::Threads)
supyo_libraries(data/formats simdjson::simdjson ${CMAKE_DL_LIBS})
supyo_libraries(judge/slo yaml-cpp)
supyo_libraries(lab/scenario yaml-cpp)

# Shared modules that are loaded on first use (so that start-up and memory stay free of them).
function(supyo_build_modules)
endfunction()
