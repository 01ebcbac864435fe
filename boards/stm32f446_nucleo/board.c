/* NUCLEO-F446RE: 168 MHz from the internal oscillator; USART2, which the debugger on the board makes a
 * serial port (UM1724, 6.8). Registers: RM0390. */
#include "board.h"
#include "parts/cycle_counter/cycle_counter.h"
#include "parts/stm32/stm32.h"
#include "parts/stm32_flash/stm32_flash.h"

#define RCC_CR (*(volatile uint32_t *)0x40023800u)
#define RCC_PLLCFGR (*(volatile uint32_t *)0x40023804u)
#define RCC_CFGR (*(volatile uint32_t *)0x40023808u)
#define RCC_AHB1ENR (*(volatile uint32_t *)0x40023830u)
#define RCC_APB1ENR (*(volatile uint32_t *)0x40023840u)
#define FLASH_ACR (*(volatile uint32_t *)0x40023C00u)
#define GPIOA ((stm32_gpio *)0x40020000u)

#define CR_PLL_ON (1u << 24)
#define CR_PLL_READY (1u << 25)
#define PLL_MHZ_16_TO_168 (16u | 336u << 6 | 7u << 24 | 2u << 28) /* / 16 * 336 / 2 */
#define CFGR_SWITCH 3u
#define CFGR_PLL 2u
#define CFGR_PLL_USED (2u << 2)
#define CFGR_APB1_QUARTER (5u << 10)
#define CFGR_APB2_HALF (4u << 13)
#define AHB1_GPIOA (1u << 0)
#define APB1_USART2 (1u << 17)
#define ACR_DATA_CACHE (1u << 10)
#define ACR_FORGET_DATA (1u << 12)
#define ACR_5_WAITS_AND_CACHES (5u | 1u << 8 | 1u << 9 | ACR_DATA_CACHE) /* and prefetch */

#define APB1_HZ 42000000u
#define USART2_ALTERNATE 7

const char board_name[] = "stm32f446_nucleo";
const uint32_t board_ticks_per_second = 168000000;
stm32_usart *const stm32_board_usart = (stm32_usart *)0x40004400u;
const uint32_t stm32_board_usart_line = 38;

/* The cache of the flash may have what was there before (RM0390, 3.5.2). */
static void forget(uint32_t address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    FLASH_ACR &= ~ACR_DATA_CACHE;
    FLASH_ACR |= ACR_FORGET_DATA;
    FLASH_ACR &= ~ACR_FORGET_DATA;
    FLASH_ACR |= ACR_DATA_CACHE;
}

const stm32_flash_place stm32_board_flash = {.first_sector = 6, .changed = forget};

/* The internal oscillator of 16 MHz, multiplied. */
static void start_clock(void) {
    FLASH_ACR = ACR_5_WAITS_AND_CACHES;
    RCC_PLLCFGR = PLL_MHZ_16_TO_168;
    RCC_CR |= CR_PLL_ON;
    stm32_wait(&RCC_CR, CR_PLL_READY, CR_PLL_READY);
    RCC_CFGR = CFGR_APB1_QUARTER | CFGR_APB2_HALF | CFGR_PLL;
    stm32_wait(&RCC_CFGR, CFGR_SWITCH << 2, CFGR_PLL_USED);
}

void board_init(void) {
    start_clock();
    cycle_counter_start();
    RCC_AHB1ENR |= AHB1_GPIOA;
    RCC_APB1ENR |= APB1_USART2;
    stm32_wait(&RCC_APB1ENR, APB1_USART2, APB1_USART2); /* the clock runs when this is read */
    stm32_connect(GPIOA, 2, USART2_ALTERNATE);
    stm32_connect(GPIOA, 3, USART2_ALTERNATE);
    stm32_start_usart(APB1_HZ);
}
