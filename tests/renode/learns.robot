*** Comments ***
A board in Renode learns the same bytes as this computer, saves them and restores them. In the environment
of ./run (source .venv/bin/activate), with Renode's own runner:

    renode-test tests/renode/learns.robot

*** Settings ***
Library           OperatingSystem
Library           Process

*** Variables ***
${ROOT}           ${CURDIR}/../..
${PORT}           34571

*** Test Cases ***
The 32F746GDISCOVERY Learns
    Learns As The Host    stm32f746_discovery

The nRF52840-DK Learns
    Learns As The Host    nrf52840_dk

*** Keywords ***
Learns As The Host
    [Arguments]    ${board}
    ${folder}=    Set Variable    ${TEMPDIR}/tinyflash-${board}
    Create Directory    ${folder}
    Run Python    tests.renode.learn    build    ${folder}    ${board}
    Execute Command    $elf=@${folder}/firmware.elf
    Execute Command    $port=${PORT}
    Execute Command    include @${ROOT}/boards/${board}/renode.resc
    Run Python    tests.renode.learn    check    socket://127.0.0.1:${PORT}
    Execute Command    Clear

Run Python
    [Arguments]    @{arguments}
    ${done}=    Run Process    python    -m    @{arguments}    cwd=${ROOT}    stderr=STDOUT
    Should Be Equal As Integers    ${done.rc}    0    ${done.stdout}
