# Stands in for Zephyr's CMake package: the functions that a module calls, and the modules of
# ZEPHYR_EXTRA_MODULES, found as their zephyr/module.yml says. The program is one of this computer.
project(Zephyr-Kernel C)
add_executable(app)

function(zephyr_include_directories)
    foreach(folder IN LISTS ARGN)
        set_property(GLOBAL APPEND PROPERTY stand_in_includes ${folder})
    endforeach()
endfunction()

macro(zephyr_library_named name)
    set(stand_in_library ${name})
    add_library(${name} STATIC)
    get_property(stand_in_folders GLOBAL PROPERTY stand_in_includes)
    target_include_directories(${name} PUBLIC ${stand_in_folders})
    target_link_libraries(app PRIVATE ${name})
endmacro()

macro(zephyr_library_sources)
    target_sources(${stand_in_library} PRIVATE ${ARGN})
endmacro()

macro(zephyr_library_sources_ifdef option)
    if(${option})
        target_sources(${stand_in_library} PRIVATE ${ARGN})
    endif()
endmacro()

file(STRINGS prj.conf settings REGEX "^CONFIG_[A-Z_]+=y$")
foreach(setting IN LISTS settings)
    string(REGEX REPLACE "=y$" "" setting ${setting})
    set(${setting} y)
endforeach()
foreach(module IN LISTS ZEPHYR_EXTRA_MODULES)
    file(STRINGS ${module}/zephyr/module.yml folder REGEX "^ +cmake: ")
    string(REGEX REPLACE "^ +cmake: +" "" folder ${folder})
    add_subdirectory(${module}/${folder} modules/tinyflash)
endforeach()
