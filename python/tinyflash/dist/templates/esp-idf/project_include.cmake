# tinyflash_add_model, for every component of the project.
include(${CMAKE_CURRENT_LIST_DIR}/tinyflash_model.cmake)
