# Toolchain file for Cortex-M: cmake -DCMAKE_TOOLCHAIN_FILE=.../arm-none-eabi.cmake -DBOARD=cortex-m4
# BOARD is one of those below: a core, and the machine of QEMU that has it. For a board of your own add its line.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BOARD)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(BOARD cortex-m3 CACHE STRING "the board")

# machine of QEMU; first address and bytes of flash and RAM; flags of the core
set(BOARD_cortex-m0  microbit   0x00000000 0x40000  0x20000000 0x4000   -mcpu=cortex-m0  -mfloat-abi=soft)
set(BOARD_cortex-m3  mps2-an385 0x00000000 0x400000 0x20000000 0x400000 -mcpu=cortex-m3  -mfloat-abi=soft)
set(BOARD_cortex-m4  mps2-an386 0x00000000 0x400000 0x20000000 0x400000 -mcpu=cortex-m4  -mfpu=fpv4-sp-d16 -mfloat-abi=hard)
set(BOARD_cortex-m7  mps2-an500 0x00000000 0x400000 0x20000000 0x400000 -mcpu=cortex-m7  -mfpu=fpv5-d16 -mfloat-abi=hard)
set(BOARD_cortex-m33 mps2-an505 0x10000000 0x400000 0x38000000 0x400000 -mcpu=cortex-m33 -mfpu=fpv5-sp-d16 -mfloat-abi=hard)
set(BOARD_cortex-m55 mps3-an547 0x10000000 0x80000  0x31000000 0x200000 -mcpu=cortex-m55 -mfloat-abi=hard)

if(NOT DEFINED BOARD_${BOARD})
  message(FATAL_ERROR "BOARD is ${BOARD}; allowed are cortex-m0, cortex-m3, cortex-m4, cortex-m7, cortex-m33, cortex-m55")
endif()
set(BOARD_FLAGS ${BOARD_${BOARD}})
list(POP_FRONT BOARD_FLAGS BOARD_MACHINE BOARD_FLASH_ORIGIN BOARD_FLASH_BYTES BOARD_RAM_ORIGIN BOARD_RAM_BYTES)
list(JOIN BOARD_FLAGS " " BOARD_FLAGS)

# picolibc's libm gives the same bits on every core; --specs=nano.specs works as well
set(BOARD_LIBC --specs=picolibc.specs CACHE STRING "what chooses the C library")
set(CMAKE_C_FLAGS_INIT "${BOARD_FLAGS} -mthumb ${BOARD_LIBC} -ffunction-sections -fdata-sections -fno-common")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostartfiles -Wl,--gc-sections")
