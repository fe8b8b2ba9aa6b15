// A virtual network; everything in it is this deployment's own.
using '../../../infra/main.bicep'

param environmentName = 'segments-prod'
param location = 'westeurope'
param alertEmail = 'operators@example.com'
param runbooksUrl = 'https://git.example.com/exporter/docs/how-to'
param vnetEnabled = true
param vnetAddressPrefix = '10.20.0.0/23'
