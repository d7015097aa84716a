# Third-party libraries, each used by the rooms named here and by no other. Why each: docs/design/libraries.md.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

supyo_libraries(core/env Threads::Threads)
supyo_libraries(data/formats simdjson::simdjson ${CMAKE_DL_LIBS})
supyo_libraries(sql/expr re2 OpenSSL::Crypto)
supyo_libraries(judge/slo yaml-cpp)
supyo_libraries(lab/scenario yaml-cpp nlohmann_json::nlohmann_json)
supyo_libraries(data/iceberg ZLIB::ZLIB)

# Shared modules that are loaded on first use (so that start-up and memory stay free of them). The loader finds them through the
# run path of the executables: their own directory, ../lib beside it (installed), the build directory (tests).
set(CMAKE_BUILD_RPATH "$ORIGIN;$ORIGIN/../lib;${CMAKE_BINARY_DIR}")
list(APPEND CMAKE_MODULE_PATH ${CMAKE_SOURCE_DIR}/cmake)

function(supyo_build_modules)
  if(NOT SUPYO_PARQUET)
    return()
  endif()
  find_package(PyArrowCpp 22 QUIET)
  if(NOT PyArrowCpp_FOUND)
    message(WARNING "Parquet module is not built: no pyarrow 22 in ${PYARROW_PYTHON}. Run `make setup`, give -DPYARROW_PYTHON=..., or say -DSUPYO_PARQUET=OFF.")
    return()
  endif()
  add_library(supyo_parquet MODULE ${CMAKE_SOURCE_DIR}/src/data/formats/parquet_arrow_module.cc)
  target_include_directories(supyo_parquet PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(supyo_parquet PRIVATE supyo_data_types PyArrowCpp::parquet)
  # Only the entry point leaves the module: the executable has the same code of data/types, and neither may replace the other's.
  target_link_options(supyo_parquet PRIVATE -Wl,--exclude-libs,ALL -Wno-unused-command-line-argument)
  set_target_properties(supyo_parquet PROPERTIES PREFIX lib LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(TARGET supyo_data_formats)
    add_dependencies(supyo_data_formats supyo_parquet)
  endif()
endfunction()
