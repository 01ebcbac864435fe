# find_package(tinyflash): the library from the sources beside this file.
include(${CMAKE_CURRENT_LIST_DIR}/tinyflash.cmake)
tinyflash_add_library(${CMAKE_CURRENT_LIST_DIR})
