# What both examples share: a program for this machine, or an image for the board of the toolchain file.
#   add_example(NAME STACK_BYTES SOURCE...)

set(EXAMPLES ${CMAKE_CURRENT_LIST_DIR}/..)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE MinSizeRel CACHE STRING "build type" FORCE)
endif()
add_subdirectory(${EXAMPLES}/.. micro EXCLUDE_FROM_ALL)

function(add_example name stack_bytes)
  add_executable(${name} ${ARGN} ${EXAMPLES}/numbers.c)
  target_include_directories(${name} PRIVATE ${EXAMPLES})
  target_compile_options(${name} PRIVATE -std=c99 -Wall -Wextra -Wconversion)
  if(NOT CMAKE_CROSSCOMPILING)
    target_sources(${name} PRIVATE ${EXAMPLES}/host.c)
    return()
  endif()
  target_sources(${name} PRIVATE ${EXAMPLES}/board/startup.c ${EXAMPLES}/board/console.c)
  set_target_properties(${name} PROPERTIES SUFFIX .elf LINK_DEPENDS ${EXAMPLES}/board/link.ld)
  target_link_options(${name} PRIVATE -T${EXAMPLES}/board/link.ld -Wl,-Map=${name}.map
                      -Wl,--defsym=STACK_BYTES=${stack_bytes}
                      -Wl,--defsym=FLASH_ORIGIN=${BOARD_FLASH_ORIGIN} -Wl,--defsym=FLASH_BYTES=${BOARD_FLASH_BYTES}
                      -Wl,--defsym=RAM_ORIGIN=${BOARD_RAM_ORIGIN} -Wl,--defsym=RAM_BYTES=${BOARD_RAM_BYTES})
  add_custom_target(run-${name} COMMAND qemu-system-arm -M ${BOARD_MACHINE} -nographic -monitor none -serial none
                    -semihosting-config enable=on,target=native -kernel $<TARGET_FILE:${name}> USES_TERMINAL VERBATIM)
endfunction()
