/* 32F746GDISCOVERY: 216 MHz from the internal oscillator; USART1, which the debugger on the board makes
 * a serial port (UM1907, 6.2). Registers: RM0385. */
#include "board.h"
#include "parts/cortex_m7/cortex_m7.h"
#include "parts/cycle_counter/cycle_counter.h"
#include "parts/stm32/stm32.h"
#include "parts/stm32_flash/stm32_flash.h"

#define RCC_CR (*(volatile uint32_t *)0x40023800u)
#define RCC_PLLCFGR (*(volatile uint32_t *)0x40023804u)
#define RCC_CFGR (*(volatile uint32_t *)0x40023808u)
#define RCC_AHB1ENR (*(volatile uint32_t *)0x40023830u)
#define RCC_APB1ENR (*(volatile uint32_t *)0x40023840u)
#define RCC_APB2ENR (*(volatile uint32_t *)0x40023844u)
#define PWR_CR1 (*(volatile uint32_t *)0x40007000u)
#define PWR_CSR1 (*(volatile uint32_t *)0x40007004u)
#define FLASH_ACR (*(volatile uint32_t *)0x40023C00u)
#define GPIOA ((stm32_gpio *)0x40020000u)
#define GPIOB ((stm32_gpio *)0x40020400u)

#define CR_PLL_ON (1u << 24)
#define CR_PLL_READY (1u << 25)
#define PLL_MHZ_16_TO_216 (16u | 432u << 6 | 9u << 24) /* / 16 * 432 / 2 */
#define CFGR_SWITCH 3u
#define CFGR_PLL 2u
#define CFGR_PLL_USED (2u << 2)
#define CFGR_APB1_QUARTER (5u << 10)
#define CFGR_APB2_HALF (4u << 13)
#define AHB1_GPIOA (1u << 0)
#define AHB1_GPIOB (1u << 1)
#define APB1_POWER (1u << 28)
#define APB2_USART1 (1u << 4)
#define OVERDRIVE (1u << 16) /* on, and ready */
#define OVERDRIVE_SWITCH (1u << 17)
#define ACR_7_WAITS 7u /* the core's own caches hide them */

#define APB2_HZ 108000000u
#define USART1_ALTERNATE 7

const char board_name[] = "stm32f746_discovery";
const uint32_t board_ticks_per_second = 216000000;
stm32_usart *const stm32_board_usart = (stm32_usart *)0x40011000u;
const uint32_t stm32_board_usart_line = 37;
const stm32_flash_place stm32_board_flash = {.first_sector = 6, .changed = cortex_m7_forget};

/* Above 180 MHz the regulator needs its overdrive (RM0385, 4.1.4). */
static void start_overdrive(void) {
    RCC_APB1ENR |= APB1_POWER;
    stm32_wait(&RCC_APB1ENR, APB1_POWER, APB1_POWER);
    PWR_CR1 |= OVERDRIVE;
    stm32_wait(&PWR_CSR1, OVERDRIVE, OVERDRIVE);
    PWR_CR1 |= OVERDRIVE_SWITCH;
    stm32_wait(&PWR_CSR1, OVERDRIVE_SWITCH, OVERDRIVE_SWITCH);
}

/* The internal oscillator of 16 MHz, multiplied. */
static void start_clock(void) {
    RCC_PLLCFGR = PLL_MHZ_16_TO_216;
    RCC_CR |= CR_PLL_ON;
    start_overdrive();
    stm32_wait(&RCC_CR, CR_PLL_READY, CR_PLL_READY);
    FLASH_ACR = ACR_7_WAITS;
    RCC_CFGR = CFGR_APB1_QUARTER | CFGR_APB2_HALF | CFGR_PLL;
    stm32_wait(&RCC_CFGR, CFGR_SWITCH << 2, CFGR_PLL_USED);
}

void board_init(void) {
    cortex_m7_start_caches();
    start_clock();
    cycle_counter_start();
    RCC_AHB1ENR |= AHB1_GPIOA | AHB1_GPIOB;
    RCC_APB2ENR |= APB2_USART1;
    stm32_wait(&RCC_APB2ENR, APB2_USART1, APB2_USART1); /* the clock runs when this is read */
    stm32_connect(GPIOA, 9, USART1_ALTERNATE);
    stm32_connect(GPIOB, 7, USART1_ALTERNATE);
    stm32_start_usart(APB2_HZ);
}
