# Arrow and Parquet C++ from the pyarrow wheel: defines PyArrowCpp::arrow and PyArrowCpp::parquet.
# PYARROW_PYTHON names an interpreter that can import pyarrow (default: the project's own build/venv).
if(NOT PYARROW_PYTHON)
  if(DEFINED ENV{PYARROW_PYTHON})
    set(PYARROW_PYTHON $ENV{PYARROW_PYTHON} CACHE FILEPATH "Python with pyarrow 22" FORCE)
  else()
    set(PYARROW_PYTHON ${CMAKE_SOURCE_DIR}/build/venv/bin/python CACHE FILEPATH "Python with pyarrow 22" FORCE)
  endif()
endif()
execute_process(
  COMMAND ${PYARROW_PYTHON} -c
    "import importlib.util as u, importlib.metadata as m; d=u.find_spec('pyarrow').submodule_search_locations[0]; print(d+';'+m.version('pyarrow'))"
  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE code)
if(code EQUAL 0)
  list(GET found 0 PyArrowCpp_DIR)
  list(GET found 1 PyArrowCpp_VERSION)
  foreach(lib arrow parquet)
    file(GLOB so "${PyArrowCpp_DIR}/lib${lib}.so.*")
    list(GET so 0 so)
    get_filename_component(soname "${so}" NAME)
    add_library(PyArrowCpp::${lib} SHARED IMPORTED)
    set_target_properties(PyArrowCpp::${lib} PROPERTIES IMPORTED_LOCATION "${so}" IMPORTED_SONAME "${soname}"
      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${PyArrowCpp_DIR}/include" INTERFACE_INCLUDE_DIRECTORIES "${PyArrowCpp_DIR}/include")
  endforeach()
  set_property(TARGET PyArrowCpp::parquet PROPERTY INTERFACE_LINK_LIBRARIES PyArrowCpp::arrow)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PyArrowCpp REQUIRED_VARS PyArrowCpp_DIR VERSION_VAR PyArrowCpp_VERSION)
