# tinyflash_add_model(target model.tflite scheme.toml [NAME name] [OPTIONS ...])
#
# Compiles a network into a target, and again whenever the network or the scheme changes.
#   target  your program or library, of this folder; it may include name.h, and is linked with
#           tinyflash::tinyflash where that exists
#   NAME    of the model in C and of its header, by default that of the file: digits.h
#   OPTIONS of `tinyflash compile`, such as --board stm32f446_nucleo, whose kernels it takes
# TINYFLASH_COMMAND is the command tinyflash; with arguments before its own, it is a list.
function(tinyflash_add_model target model scheme)
    cmake_parse_arguments(PARSE_ARGV 3 arg "" "NAME" "OPTIONS")
    if(DEFINED arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "tinyflash_add_model does not know: ${arg_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT DEFINED TINYFLASH_COMMAND)
        find_program(TINYFLASH_COMMAND tinyflash DOC "The command tinyflash (pip install tinyflash)")
    endif()
    if(NOT TINYFLASH_COMMAND)
        message(FATAL_ERROR "the command tinyflash is not on the PATH; install it, or name it with "
                            "-DTINYFLASH_COMMAND=...")
    endif()
    foreach(path IN ITEMS model scheme)
        get_filename_component(${path} ${${path}} ABSOLUTE)
        if(NOT EXISTS ${${path}})
            message(FATAL_ERROR "tinyflash_add_model: there is no ${${path}}")
        endif()
    endforeach()
    if(NOT arg_NAME)
        get_filename_component(arg_NAME ${model} NAME_WE)
    endif()
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/tinyflash/${arg_NAME})
    add_custom_command(
        OUTPUT ${folder}/${arg_NAME}.c ${folder}/${arg_NAME}.h
        COMMAND ${TINYFLASH_COMMAND} compile ${model} --scheme ${scheme} --name ${arg_NAME}
                ${arg_OPTIONS} --quiet -o ${folder}
        DEPENDS ${model} ${scheme}
        COMMENT "Compiling the network ${arg_NAME}"
        VERBATIM)
    target_sources(${target} PRIVATE ${folder}/${arg_NAME}.c ${folder}/${arg_NAME}.h)
    target_include_directories(${target} PRIVATE ${folder})
    if(TARGET tinyflash::tinyflash)
        target_link_libraries(${target} PRIVATE tinyflash::tinyflash)
    endif()
endfunction()
