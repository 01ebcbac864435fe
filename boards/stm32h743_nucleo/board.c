/* NUCLEO-H743ZI: 400 MHz from the internal oscillator; USART3, which the debugger on the board makes a
 * serial port (UM2407, 6.9). Registers: RM0433. */
#include "board.h"
#include "linker.h"
#include "parts/cortex_m7/cortex_m7.h"
#include "parts/cycle_counter/cycle_counter.h"
#include "parts/stm32/stm32.h"

#define RCC_CR (*(volatile uint32_t *)0x58024400u)
#define RCC_CFGR (*(volatile uint32_t *)0x58024410u)
#define RCC_D1CFGR (*(volatile uint32_t *)0x58024418u)
#define RCC_D2CFGR (*(volatile uint32_t *)0x5802441Cu)
#define RCC_D3CFGR (*(volatile uint32_t *)0x58024420u)
#define RCC_PLLCKSELR (*(volatile uint32_t *)0x58024428u)
#define RCC_PLLCFGR (*(volatile uint32_t *)0x5802442Cu)
#define RCC_PLL1DIVR (*(volatile uint32_t *)0x58024430u)
#define RCC_AHB2ENR (*(volatile uint32_t *)0x580244DCu)
#define RCC_AHB4ENR (*(volatile uint32_t *)0x580244E0u)
#define RCC_APB1LENR (*(volatile uint32_t *)0x580244E8u)
#define PWR_CSR1 (*(volatile uint32_t *)0x58024804u)
#define PWR_CR3 (*(volatile uint32_t *)0x5802480Cu)
#define PWR_D3CR (*(volatile uint32_t *)0x58024818u)
#define FLASH_ACR (*(volatile uint32_t *)0x52002000u)
#define GPIOD ((stm32_gpio *)0x58020C00u)

#define CR_PLL_ON (1u << 24)
#define CR_PLL_READY (1u << 25)
#define PLL_INPUT (4u << 4)               /* the internal oscillator of 64 MHz, / 4 */
#define PLL_SETTINGS (3u << 2 | 1u << 16) /* input of 8 to 16 MHz; output P */
#define PLL_TIMES_50_HALVED ((50u - 1u) | (2u - 1u) << 9) /* 800 MHz, 400 MHz at output P */
#define CFGR_SWITCH 7u
#define CFGR_PLL 3u
#define CFGR_PLL_USED (3u << 3)
#define D1_HALF_THEN_HALF (8u | 4u << 4) /* AXI at 200 MHz, APB3 at 100 MHz */
#define D2_HALF (4u << 4 | 4u << 8)      /* APB1, APB2 at 100 MHz */
#define D3_HALF (4u << 4)
#define AHB2_SRAM (7u << 29) /* SRAM1 to SRAM3, of domain 2 */
#define AHB4_GPIOD (1u << 3)
#define APB1_USART3 (1u << 18)
#define CR3_LDO (1u << 1)
#define CR3_NOT_LOCKED (1u << 2)
#define CSR1_READY (1u << 13)
#define D3CR_SCALE_1 (3u << 14)
#define D3CR_READY (1u << 13)
#define ACR_2_WAITS (2u | 2u << 4) /* at 200 MHz */

#define APB1_HZ 100000000u
#define USART3_ALTERNATE 7

const char board_name[] = "stm32h743_nucleo";
const uint32_t board_ticks_per_second = 400000000;
stm32_usart *const stm32_board_usart = (stm32_usart *)0x40004800u;
const uint32_t stm32_board_usart_line = 39;

/* The regulator, which has to be told that it is the supply, to its highest voltage (RM0433, 6.8.6). */
static void raise_voltage(void) {
    PWR_CR3 = CR3_LDO | CR3_NOT_LOCKED;
    stm32_wait(&PWR_CSR1, CSR1_READY, CSR1_READY);
    PWR_D3CR |= D3CR_SCALE_1;
    stm32_wait(&PWR_D3CR, D3CR_READY, D3CR_READY);
}

static void start_clock(void) {
    raise_voltage();
    RCC_PLLCKSELR = PLL_INPUT;
    RCC_PLLCFGR = PLL_SETTINGS;
    RCC_PLL1DIVR = PLL_TIMES_50_HALVED;
    RCC_CR |= CR_PLL_ON;
    stm32_wait(&RCC_CR, CR_PLL_READY, CR_PLL_READY);
    FLASH_ACR = ACR_2_WAITS;
    RCC_D1CFGR = D1_HALF_THEN_HALF;
    RCC_D2CFGR = D2_HALF;
    RCC_D3CFGR = D3_HALF;
    RCC_CFGR = CFGR_PLL;
    stm32_wait(&RCC_CFGR, CFGR_SWITCH << 3, CFGR_PLL_USED);
}

void board_start_memories(void) {
    RCC_AHB2ENR |= AHB2_SRAM;
    stm32_wait(&RCC_AHB2ENR, AHB2_SRAM, AHB2_SRAM);
}

void board_init(void) {
    cortex_m7_start_caches();
    start_clock();
    cycle_counter_start();
    RCC_AHB4ENR |= AHB4_GPIOD;
    RCC_APB1LENR |= APB1_USART3;
    stm32_wait(&RCC_APB1LENR, APB1_USART3, APB1_USART3); /* the clock runs when this is read */
    stm32_connect(GPIOD, 8, USART3_ALTERNATE);
    stm32_connect(GPIOD, 9, USART3_ALTERNATE);
    stm32_start_usart(APB1_HZ);
}
